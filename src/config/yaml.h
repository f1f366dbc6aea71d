// SPDX-License-Identifier: MIT
// YAML text as a tree of libyaml, with limits, and the few questions that a
// configuration asks it.
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "base/slice.h"
#include "config/option.h"
#include "config/problem.h"

#define SP_YAML_BYTES_MAX   (1u << 18) // of a file
#define SP_YAML_NESTING_MAX 64u        // maps and lists within each other, as written
#define SP_YAML_DEPTH_MAX   32u        // the same of adapter_config, aliases followed
#define SP_YAML_ITEMS_MAX   1000u      // of one map or list; also anchors of a file
#define SP_YAML_JSON_MAX    (1u << 20) // bytes of adapter_config as JSON

// One document. Zero-initialised is empty. Owner: whoever embeds it.
struct sp_yaml {
    yaml_document_t document;
    yaml_node_t *root;
    bool loaded;
};

// Parses exactly one document. INVALID_CONFIG: not YAML, nothing in it, or over a
// limit; said at `place` with the line. NO_MEMORY. Call sp_yaml_fini() in every case.
snakepit_err sp_yaml_load(struct sp_yaml *yaml,
                          const char *text,
                          size_t bytes,
                          const struct sp_place *place);
void sp_yaml_fini(struct sp_yaml *yaml);

yaml_node_t *sp_yaml_node(struct sp_yaml *yaml, int id);
// Counted from 1.
size_t sp_yaml_line(const yaml_node_t *node);
// True for what is empty, ~ or null, without quotes.
bool sp_yaml_is_null(const yaml_node_t *node);
bool sp_yaml_is_quoted(const yaml_node_t *node);
// The node for people: "a list", "many" in quotes.
const char *sp_yaml_describe(const yaml_node_t *node, char text[SP_QUOTED_MAX]);

// The text of a scalar, borrowed. INVALID_CONFIG: a list, a map, nothing, a tag or a
// zero byte; said at `place` as "expected EXPECTED".
snakepit_err sp_yaml_text(const yaml_node_t *node,
                          const char *expected,
                          const struct sp_place *place,
                          const char **text);

// Every key of the map `node` is a text and there once.
snakepit_err sp_yaml_check_map(struct sp_yaml *yaml,
                               const yaml_node_t *node,
                               const struct sp_place *place);

// The value of `key` in the map `node`; NULL if it has none, or `key` is NULL.
const yaml_node_t *
sp_yaml_value(struct sp_yaml *yaml, const yaml_node_t *node, const char *key);

// Not more than SP_YAML_ITEMS_MAX items are in the list or map.
snakepit_err sp_yaml_check_count(const yaml_node_t *node, const struct sp_place *place);

// Appends the value as JSON. `depth`: how many maps and lists are around it.
snakepit_err sp_yaml_to_json(struct sp_yaml *yaml,
                             const yaml_node_t *node,
                             const struct sp_place *place,
                             struct sp_buf *json,
                             unsigned depth);

// Sets the field of `option` from a node; see sp_option_set().
snakepit_err sp_yaml_set_option(struct sp_yaml *yaml,
                                const yaml_node_t *node,
                                const struct sp_option *option,
                                void *target,
                                const struct sp_place *place);

struct sp_serve_config;

// Checks what the texts of `serve` say, of which `place` is that map. INVALID_CONFIG.
snakepit_err sp_yaml_check_serve(const struct sp_serve_config *serve,
                                 const struct sp_place *place);

// Sets the fields of all keys of a scope that have a fixed default. `target` is its
// struct.
snakepit_err
sp_yaml_set_defaults(enum sp_scope scope, void *target, const struct sp_place *place);

#endif
