// SPDX-License-Identifier: MIT
// What the key `sandbox` needs beyond its rows in options.def.
#ifndef CONFIG_SANDBOX_H
#define CONFIG_SANDBOX_H

#include <stdbool.h>

#include "config/config.h"
#include "config/yaml.h"

// True for `strict` and `off`, which stand for a map.
bool sp_sandbox_is_word(const yaml_node_t *node);

// Fills a zeroed sandbox from a map or one of these words. INVALID_CONFIG, explained at
// `place`. NO_MEMORY. What was built so far is for sp_sandbox_clear() to free.
snakepit_err sp_sandbox_set(struct sp_yaml *yaml,
                            const yaml_node_t *node,
                            const struct sp_place *place,
                            struct sp_sandbox *sandbox);

// Frees what it owns and zeroes it.
void sp_sandbox_clear(struct sp_sandbox *sandbox);

#endif
