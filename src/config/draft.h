// SPDX-License-Identifier: MIT
// A pool while it is being made: which of its fields are set, and by whom.
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "config/config.h"
#include "config/option.h"
#include "config/yaml.h"

// Owner: the thread that reads the configuration. Borrows config and pool.
struct sp_draft {
    const struct sp_config *config;
    struct sp_pool_config *pool;
    struct sp_place place;
    size_t name_line;
    enum sp_origin origins[SP_OPTIONS_MAX];
    size_t lines[SP_OPTIONS_MAX]; // where the file set a field
};

// Sets the field of `option` from the file.
snakepit_err sp_draft_set(struct sp_draft *draft,
                          struct sp_yaml *yaml,
                          const struct sp_option *option,
                          const yaml_node_t *key,
                          const yaml_node_t *value);

// Sets the name from an item of `pools`.
snakepit_err sp_draft_set_name(struct sp_draft *draft,
                               const yaml_node_t *key,
                               const yaml_node_t *value);

// Once the file is read and the top is complete: variables, the words of adapter_args,
// defaults, and the checks that need several fields.
snakepit_err sp_draft_finish(struct sp_draft *draft);

#endif
