// SPDX-License-Identifier: MIT
// The key `sandbox`: a map of the table's own rows, or a word that stands for one.
#include "config/sandbox.h"

#include <string.h>

#include "base/check.h"
#include "config/option.h"

static const struct sp_option *row(const char *key)
{
    const struct sp_option *option = sp_option_find(SP_SCOPE_SANDBOX, key);
    SP_CHECK(option != NULL);
    return option;
}

static snakepit_err set_pair(struct sp_yaml *yaml,
                             const yaml_node_pair_t *pair,
                             const struct sp_place *place,
                             struct sp_sandbox *sandbox)
{
    const yaml_node_t *key = sp_yaml_node(yaml, pair->key);
    const char *text = (const char *)key->data.scalar.value;
    const struct sp_option *option = sp_option_find(SP_SCOPE_SANDBOX, text);
    struct sp_place where = sp_place_key(place, text, sp_yaml_line(key));
    if (option != NULL) {
        return sp_yaml_set_option(
            yaml, sp_yaml_node(yaml, pair->value), option, sandbox, &where);
    }
    const char *nearest = sp_option_nearest(SP_SCOPE_BIT(SP_SCOPE_SANDBOX), text);
    if (nearest != NULL) {
        return sp_problem(&where, "unknown key; did you mean \"%s\"?", nearest);
    }
    return sp_problem(&where,
                      "unknown key; see docs/configuration.md for those there are");
}

static snakepit_err check_paths(const struct sp_texts *paths,
                                const struct sp_place *place)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (paths->items[i][0] == '\0' || strcmp(paths->items[i], ":rw") == 0) {
            struct sp_place list = sp_place_key(place, "landlock", place->line);
            struct sp_place item = sp_place_item(&list, i, place->line);
            return sp_problem(&item, "expected a path, got \"%s\"", paths->items[i]);
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err set_map(struct sp_yaml *yaml,
                            const yaml_node_t *node,
                            const struct sp_place *place,
                            struct sp_sandbox *sandbox)
{
    snakepit_err err = sp_yaml_check_map(yaml, node, place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        err = set_pair(yaml, pair, place, sandbox);
    }
    // What these take away must not be gained back by a program that is started.
    sandbox->no_new_privs = sandbox->no_new_privs ||
                            sandbox->seccomp != SP_SECCOMP_OFF ||
                            sandbox->landlock.items != NULL;
    return err != SNAKEPIT_OK ? err : check_paths(&sandbox->landlock, place);
}

static snakepit_err set_word(const yaml_node_t *node,
                             const struct sp_place *place,
                             struct sp_sandbox *sandbox)
{
    static const char strict[] = "{no_new_privs: true, seccomp: default, landlock: []}";
    const char *word = (const char *)node->data.scalar.value;
    if (strcmp(word, "off") == 0) {
        return SNAKEPIT_OK;
    }
    struct sp_yaml yaml = {0};
    snakepit_err err = sp_yaml_load(&yaml, strict, sizeof strict - 1, place);
    err = err != SNAKEPIT_OK ? err : set_map(&yaml, yaml.root, place, sandbox);
    sp_yaml_fini(&yaml);
    return err;
}

bool sp_sandbox_is_word(const yaml_node_t *node)
{
    const char *word = (const char *)node->data.scalar.value;
    return node->type == YAML_SCALAR_NODE &&
           (strcmp(word, "strict") == 0 || strcmp(word, "off") == 0);
}

snakepit_err sp_sandbox_set(struct sp_yaml *yaml,
                            const yaml_node_t *node,
                            const struct sp_place *place,
                            struct sp_sandbox *sandbox)
{
    return node->type == YAML_MAPPING_NODE ? set_map(yaml, node, place, sandbox)
                                           : set_word(node, place, sandbox);
}

void sp_sandbox_clear(struct sp_sandbox *sandbox)
{
    sp_option_clear(row("landlock"), sandbox);
    sp_option_clear(row("uid"), sandbox);
    *sandbox = (struct sp_sandbox){0};
}
