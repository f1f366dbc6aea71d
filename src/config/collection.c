// SPDX-License-Identifier: MIT
// Options that are lists and maps, from their nodes. Each is built aside and put into
// its field only when it is whole.
#include "config/collection.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"

static snakepit_err
copy_text(const yaml_node_t *node, const struct sp_place *place, char **copy)
{
    const char *text = NULL;
    snakepit_err err = sp_yaml_text(node, "a text", place, &text);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    *copy = sp_strdup(text);
    return *copy != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err set_texts(struct sp_yaml *yaml,
                              const yaml_node_t *node,
                              const struct sp_place *place,
                              struct sp_texts *texts)
{
    const yaml_node_item_t *first = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - first);
    texts->items = (char **)sp_alloc_array(count, sizeof(*texts->items));
    if (texts->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (; err == SNAKEPIT_OK && texts->count < count;
         texts->count += err == SNAKEPIT_OK) {
        const yaml_node_t *item = sp_yaml_node(yaml, first[texts->count]);
        struct sp_place where = sp_place_item(place, texts->count, sp_yaml_line(item));
        err = copy_text(item, &where, &texts->items[texts->count]);
    }
    return err;
}

// What the two halves of a pair are called.
struct pair_words {
    const char *name;    // in full
    const char *brief;   // in "the ... is given twice"
    const char *never;   // what a name has none of
    const char *forms;   // of an item of a list
    const char *keys[2]; // an item may also be a map of these two; NULL: it may not
};

static const struct pair_words variables = {
    .name = "the name of an environment variable",
    .brief = "variable",
    .never = "=",
    .forms = "[NAME, value] or {NAME: value}",
};

static const struct pair_words resources = {
    .name = "the path of a resource",
    .brief = "resource",
    .never = "",
    .forms = "[path, type] or {path: ..., type: ...}",
    .keys = {"path", "type"},
};

static snakepit_err check_name(const struct sp_pairs *pairs,
                               const struct pair_words *words,
                               const char *name,
                               const struct sp_place *place)
{
    char shown[SP_QUOTED_MAX];
    if (name[0] == '\0' || strpbrk(name, words->never) != NULL) {
        return sp_problem(
            place, "expected %s, got %s", words->name, sp_quote(name, shown));
    }
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].name, name) == 0) {
            return sp_problem(
                place, "the %s %s is given twice", words->brief, sp_quote(name, shown));
        }
    }
    return SNAKEPIT_OK;
}

// Appends to `pairs`, which has room for one more.
static snakepit_err add_pair(struct sp_pairs *pairs,
                             const struct pair_words *words,
                             const yaml_node_t *name,
                             const yaml_node_t *value,
                             const struct sp_place *place)
{
    const char *text = NULL;
    struct sp_place where = *place;
    where.line = sp_yaml_line(name);
    snakepit_err err = sp_yaml_text(name, words->name, &where, &text);
    err = err != SNAKEPIT_OK ? err : check_name(pairs, words, text, &where);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_pair pair = {0};
    where = sp_place_key(place, text, sp_yaml_line(value));
    err = copy_text(name, place, &pair.name);
    err = err != SNAKEPIT_OK ? err : copy_text(value, &where, &pair.value);
    if (err != SNAKEPIT_OK) {
        sp_free(pair.name);
        return err;
    }
    pairs->items[pairs->count++] = pair;
    return SNAKEPIT_OK;
}

static snakepit_err set_pairs_of_map(struct sp_yaml *yaml,
                                     const yaml_node_t *node,
                                     const struct pair_words *words,
                                     const struct sp_place *place,
                                     struct sp_pairs *pairs)
{
    snakepit_err err = sp_yaml_check_map(yaml, node, place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        err = add_pair(pairs,
                       words,
                       sp_yaml_node(yaml, pair->key),
                       sp_yaml_node(yaml, pair->value),
                       place);
    }
    return err;
}

// One of the forms in `words`.
static snakepit_err add_item(struct sp_yaml *yaml,
                             const yaml_node_t *item,
                             const struct pair_words *words,
                             const struct sp_place *place,
                             struct sp_pairs *pairs)
{
    if (item->type == YAML_SEQUENCE_NODE &&
        item->data.sequence.items.top - item->data.sequence.items.start == 2) {
        const yaml_node_item_t *parts = item->data.sequence.items.start;
        return add_pair(pairs,
                        words,
                        sp_yaml_node(yaml, parts[0]),
                        sp_yaml_node(yaml, parts[1]),
                        place);
    }
    bool is_map = item->type == YAML_MAPPING_NODE;
    ptrdiff_t count =
        is_map ? item->data.mapping.pairs.top - item->data.mapping.pairs.start : 0;
    const yaml_node_t *name = is_map ? sp_yaml_value(yaml, item, words->keys[0]) : NULL;
    const yaml_node_t *value =
        is_map ? sp_yaml_value(yaml, item, words->keys[1]) : NULL;
    if (count == 2 && name != NULL && value != NULL) {
        return add_pair(pairs, words, name, value, place);
    }
    // A path without its type must not become a resource that is called "path".
    if (count == 1 && name == NULL && value == NULL) {
        return set_pairs_of_map(yaml, item, words, place, pairs);
    }
    char shown[SP_QUOTED_MAX];
    return sp_problem(
        place, "expected %s, got %s", words->forms, sp_yaml_describe(item, shown));
}

static snakepit_err set_pairs_of_list(struct sp_yaml *yaml,
                                      const yaml_node_t *node,
                                      const struct pair_words *words,
                                      const struct sp_place *place,
                                      struct sp_pairs *pairs)
{
    const yaml_node_item_t *first = node->data.sequence.items.start;
    snakepit_err err = SNAKEPIT_OK;
    for (const yaml_node_item_t *item = first;
         err == SNAKEPIT_OK && item < node->data.sequence.items.top;
         item++) {
        const yaml_node_t *value = sp_yaml_node(yaml, *item);
        struct sp_place where =
            sp_place_item(place, (size_t)(item - first), sp_yaml_line(value));
        err = add_item(yaml, value, words, &where, pairs);
    }
    return err;
}

static snakepit_err set_pairs(struct sp_yaml *yaml,
                              const yaml_node_t *node,
                              const struct pair_words *words,
                              const struct sp_place *place,
                              struct sp_pairs *pairs)
{
    bool map = node->type == YAML_MAPPING_NODE;
    size_t count =
        map ? (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start)
            : (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    pairs->items = sp_alloc_array(count, sizeof(*pairs->items));
    if (pairs->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    return map ? set_pairs_of_map(yaml, node, words, place, pairs)
               : set_pairs_of_list(yaml, node, words, place, pairs);
}

static snakepit_err set_json(struct sp_yaml *yaml,
                             const yaml_node_t *node,
                             const struct sp_place *place,
                             char **text)
{
    struct sp_buf json = {0};
    snakepit_err err = sp_yaml_to_json(yaml, node, place, &json, 0);
    err = err != SNAKEPIT_OK ? err : sp_buf_append(&json, "", 1);
    if (err != SNAKEPIT_OK) {
        sp_buf_fini(&json);
        return err;
    }
    *text = (char *)json.data;
    return SNAKEPIT_OK;
}

static snakepit_err set_choices(struct sp_yaml *yaml,
                                const yaml_node_t *node,
                                const struct sp_option *option,
                                const struct sp_place *place,
                                uint32_t *bits)
{
    const yaml_node_item_t *first = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - first);
    char shown[SP_QUOTED_MAX];
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = sp_yaml_node(yaml, first[i]);
        struct sp_place where = sp_place_item(place, i, sp_yaml_line(item));
        if (item->type != YAML_SCALAR_NODE ||
            !sp_option_add_choice(
                option, (const char *)item->data.scalar.value, bits)) {
            return sp_option_expected(option, sp_yaml_describe(item, shown), &where);
        }
    }
    return SNAKEPIT_OK;
}

// Lists go into lists of texts or choices, maps into objects of JSON, and both into
// pairs.
static bool has_right_form(const struct sp_option *option, const yaml_node_t *node)
{
    return (node->type == YAML_SEQUENCE_NODE && option->kind != SP_KIND_JSON) ||
           (node->type == YAML_MAPPING_NODE && option->kind != SP_KIND_TEXTS &&
            option->kind != SP_KIND_CHOICES);
}

static snakepit_err set_field(struct sp_yaml *yaml,
                              const yaml_node_t *node,
                              const struct sp_option *option,
                              void *target,
                              const struct sp_place *place)
{
    void *field = sp_option_field(option, target);
    switch (option->kind) {
    case SP_KIND_TEXTS:
        return set_texts(yaml, node, place, field);
    case SP_KIND_PAIRS:
        return set_pairs(yaml, node, &variables, place, field);
    case SP_KIND_RESOURCES:
        return set_pairs(yaml, node, &resources, place, field);
    case SP_KIND_CHOICES:
        return set_choices(yaml, node, option, place, field);
    default:
        return set_json(yaml, node, place, (char **)field);
    }
}

snakepit_err sp_collection_set(struct sp_yaml *yaml,
                               const yaml_node_t *node,
                               const struct sp_option *option,
                               void *target,
                               const struct sp_place *place)
{
    if (!has_right_form(option, node)) {
        char shown[SP_QUOTED_MAX];
        return sp_option_expected(option, sp_yaml_describe(node, shown), place);
    }
    snakepit_err err = sp_yaml_check_count(node, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    // What it held is only replaced as a whole; the destructor takes what was built by
    // halves.
    sp_option_clear(option, target);
    return set_field(yaml, node, option, target, place);
}
