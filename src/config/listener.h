// SPDX-License-Identifier: MIT
// What an item of `serve.listen` says, judged as soon as it is read.
#ifndef CONFIG_LISTENER_H
#define CONFIG_LISTENER_H

#include "config/config.h"
#include "config/problem.h"

#define SP_LISTENERS_MAX 64u

// The lines of these keys; 0: the item has none, so it is just an address.
struct sp_listener_lines {
    size_t address;
    size_t mode;
    size_t users;
    size_t door;
};

// Parses the address of an item and checks that its keys go together. `place` is that
// of the item. INVALID_CONFIG.
snakepit_err sp_listener_finish(struct sp_listener_config *listener,
                                const struct sp_listener_lines *lines,
                                const struct sp_place *place);

// The last of them listens where none before it does. INVALID_CONFIG.
snakepit_err sp_listeners_check_last(const struct sp_listeners *listeners,
                                     const struct sp_place *place);

#endif
