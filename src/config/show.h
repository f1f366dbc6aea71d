// SPDX-License-Identifier: MIT
// The configuration as it came to be, for people.
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"

struct sp_option;
struct sp_pool_config;

// Appends the value of an option of `target`, the struct of its scope, as one would
// write it in a file, in one line; "" where there is none. What may be secret is left
// out: of `adapter_env` the values, and all of `adapter_args` and `adapter_config`.
// NO_MEMORY.
snakepit_err
sp_option_show(const struct sp_option *option, const void *target, struct sp_buf *text);

// One key of a pool. Borrowed until the callback returns.
struct sp_setting {
    const char *key;
    struct sp_slice value; // as above
    const char *origin;    // "default", "file", "adapter_args", "environment"
    uint32_t line;         // of the file; 0: not from there
};

typedef void sp_setting_fn(void *user, const struct sp_setting *setting);

// How many keys a pool has.
uint32_t sp_config_settings(void);
// Calls `each` for every one of them. NO_MEMORY: some were not told.
snakepit_err
sp_config_show(const struct sp_pool_config *pool, sp_setting_fn *each, void *user);

#endif
