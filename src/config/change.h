// SPDX-License-Identifier: MIT
// What is to be done to a pit that runs as one configuration says, so that it runs as
// another one says: a function of the two. What each key asks for is a column of
// config/options.def.
#ifndef CONFIG_CHANGE_H
#define CONFIG_CHANGE_H

#include "config/config.h"

enum sp_change {
    SP_CHANGE_NOTHING,
    SP_CHANGE_RULES,   // what holds at once has changed, such as `call_timeout_ms`
    SP_CHANGE_SIZE,    // the number of workers has, and perhaps rules
    SP_CHANGE_WORKERS, // what they are made of has, and perhaps the rest
    SP_CHANGE_ADD,     // there was no such pool
    SP_CHANGE_REMOVE,  // there is no such pool any more
};

#define SP_CHANGED_KEYS_MAX 256u

struct sp_pool_change {
    enum sp_change kind;
    const struct sp_pool_config *before; // NULL: ADD
    const struct sp_pool_config *after;  // NULL: REMOVE
    char keys[SP_CHANGED_KEYS_MAX]; // those that have changed: "adapter, pool_size"
};

// One for each pool of the new configuration, in its order; then one for each that is
// removed. Borrows the configurations.
struct sp_changes {
    struct sp_pool_change *pools;
    size_t count;
};

// INVALID_CONFIG: a key has changed that cannot; `why` names it and the remedy.
// NO_MEMORY. On failure there is nothing to free.
snakepit_err sp_changes_find(const struct sp_config *before,
                             const struct sp_config *after,
                             struct sp_changes *changes,
                             snakepit_message *why);
void sp_changes_free(struct sp_changes *changes);
// One more thing has changed, which asks for `kind`.
void sp_change_note(struct sp_pool_change *change,
                    enum sp_change kind,
                    const char *key);
// "nothing", "rules", "size", "workers", "added", "removed".
const char *sp_change_name(enum sp_change change);

#endif
