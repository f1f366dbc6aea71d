// SPDX-License-Identifier: MIT
// Options that are lists and maps, but for `sandbox`, whose map has options of its own:
// see config/sandbox.h.
#ifndef CONFIG_COLLECTION_H
#define CONFIG_COLLECTION_H

#include "config/yaml.h"

// Sets the field of `option`, a list or a map, from a node; see sp_option_set().
snakepit_err sp_collection_set(struct sp_yaml *yaml,
                               const yaml_node_t *node,
                               const struct sp_option *option,
                               void *target,
                               const struct sp_place *place);

#endif
