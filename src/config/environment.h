// SPDX-License-Identifier: MIT
// SNAKEPIT_... variables: SNAKEPIT_<KEY> for the top and for every pool,
// SNAKEPIT_POOL_<NAME>_<KEY> for one pool, which wins, SNAKEPIT_SERVE_<KEY> for a key
// of `serve`. Names are in capitals, with _
// for what is neither a letter nor a digit.
#ifndef CONFIG_ENVIRONMENT_H
#define CONFIG_ENVIRONMENT_H

#include "config/config.h"
#include "config/option.h"

#define SP_VARIABLE_MAX 160

// The variable that overrides `option`, in the pool of that name or, with NULL,
// everywhere.
void sp_variable_name(const char *pool, const char *key, char name[SP_VARIABLE_MAX]);

// Whom a variable is meant for.
enum sp_reach {
    SP_REACH_ALL = 0, // every pool, or this one
    SP_REACH_ONE,     // this pool by name
};

// The value of the variable that overrides `option` in `pool` (NULL: elsewhere); NULL
// if there is none of that reach. `name` gets the variable's name.
const char *sp_variable_find(const struct sp_option *option,
                             const struct sp_pool_config *pool,
                             enum sp_reach reach,
                             char name[SP_VARIABLE_MAX]);

// Sets the field of `option` from a variable's value; `place` names the variable.
snakepit_err sp_variable_apply(const struct sp_option *option,
                               void *target,
                               const char *value,
                               const struct sp_place *place);

// Refuses variables that are a slip of the finger away from one of ours.
snakepit_err sp_variable_check_names(const struct sp_config *config,
                                     const struct sp_place *place);

#endif
