// SPDX-License-Identifier: MIT
// Sets an option from its node, of whatever kind it is. Some keys, such as `sandbox`
// and `retry`, are maps of the table's own rows, or words that stand for one.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/collection.h"
#include "config/config.h"
#include "config/listener.h"
#include "config/option.h"
#include "config/yaml.h"

// ---- Options that have none of their own --------------------------------------

static snakepit_err set_scalar(const yaml_node_t *node,
                               const struct sp_option *option,
                               void *target,
                               const struct sp_place *place)
{
    const char *text = NULL;
    char shown[SP_QUOTED_MAX];
    if (node->type != YAML_SCALAR_NODE || sp_yaml_is_null(node)) {
        return sp_option_expected(option, sp_yaml_describe(node, shown), place);
    }
    snakepit_err err = sp_yaml_text(node, "a value", place, &text);
    return err != SNAKEPIT_OK
               ? err
               : sp_option_set(option, target, text, sp_yaml_is_quoted(node), place);
}

// A number and its unit in a list: [3600, seconds].
static snakepit_err set_pair_of_duration(struct sp_yaml *yaml,
                                         const yaml_node_t *node,
                                         const struct sp_option *option,
                                         void *target,
                                         const struct sp_place *place)
{
    char joined[64] = "";
    size_t used = 0;
    const yaml_node_item_t *items = node->data.sequence.items.start;
    bool is_pair = node->data.sequence.items.top - items == 2;
    for (int i = 0; is_pair && i < 2; i++) {
        const yaml_node_t *item = sp_yaml_node(yaml, items[i]);
        is_pair = item->type == YAML_SCALAR_NODE;
        const char *text = is_pair ? (const char *)item->data.scalar.value : "";
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s", text);
        bool is_number = text[0] >= '0' && text[0] <= '9';
        is_pair =
            is_pair && text[0] != 0 && is_number == (i == 0) && used < sizeof joined;
    }
    char shown[SP_QUOTED_MAX];
    return is_pair ? sp_option_set(option, target, joined, false, place)
                   : sp_option_expected(option, sp_yaml_describe(node, shown), place);
}

static const char *scalar_of(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE
               ? (const char *)node->data.scalar.value
               : NULL;
}

// A map of both: {min: 2, max: 16}.
static snakepit_err set_map_of_range(struct sp_yaml *yaml,
                                     const yaml_node_t *node,
                                     const struct sp_option *option,
                                     void *target,
                                     const struct sp_place *place)
{
    char joined[64];
    char shown[SP_QUOTED_MAX];
    const char *min = scalar_of(sp_yaml_value(yaml, node, "min"));
    const char *max = scalar_of(sp_yaml_value(yaml, node, "max"));
    bool both = node->data.mapping.pairs.top - node->data.mapping.pairs.start == 2 &&
                min != NULL && max != NULL;
    if (!both) {
        return sp_option_expected(option, sp_yaml_describe(node, shown), place);
    }
    (void)snprintf(joined, sizeof joined, "%.24s-%.24s", min, max);
    return sp_option_set(option, target, joined, false, place);
}

static snakepit_err set_plain(struct sp_yaml *yaml,
                              const yaml_node_t *node,
                              const struct sp_option *option,
                              void *target,
                              const struct sp_place *place)
{
    if (option->kind == SP_KIND_DURATION && node->type == YAML_SEQUENCE_NODE) {
        return set_pair_of_duration(yaml, node, option, target, place);
    }
    if (option->kind == SP_KIND_RANGE && node->type == YAML_MAPPING_NODE) {
        return set_map_of_range(yaml, node, option, target, place);
    }
    return sp_option_is_collection(option)
               ? sp_collection_set(yaml, node, option, target, place)
               : set_scalar(node, option, target, place);
}

// ---- Groups: options whose keys are rows themselves ---------------------------

// The struct of a group's keys.
struct group {
    enum sp_scope scope;
    void *keys;
};

static snakepit_err set_pair(struct sp_yaml *yaml,
                             const yaml_node_pair_t *pair,
                             const struct sp_place *place,
                             const struct group *group)
{
    const yaml_node_t *key = sp_yaml_node(yaml, pair->key);
    const char *text = (const char *)key->data.scalar.value;
    const struct sp_option *option = sp_option_find(group->scope, text);
    struct sp_place where = sp_place_key(place, text, sp_yaml_line(key));
    return option != NULL
               ? sp_yaml_set_option(
                     yaml, sp_yaml_node(yaml, pair->value), option, group->keys, &where)
               : sp_option_unknown(SP_SCOPE_BIT(group->scope), text, &where);
}

static snakepit_err check_paths(const struct sp_texts *paths,
                                const struct sp_place *place)
{
    // Without items the count is 0; said again for the analyzer.
    for (size_t i = 0; paths->items != NULL && i < paths->count; i++) {
        if (paths->items[i][0] == '\0' || strcmp(paths->items[i], ":rw") == 0) {
            struct sp_place list = sp_place_key(place, "landlock", place->line);
            struct sp_place item = sp_place_item(&list, i, place->line);
            return sp_problem(&item, "expected a path, got \"%s\"", paths->items[i]);
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err finish_sandbox(struct sp_sandbox *sandbox,
                                   const struct sp_place *place)
{
    // What these take away must not be gained back by a program that is started.
    sandbox->no_new_privs = sandbox->no_new_privs ||
                            sandbox->seccomp != SP_SECCOMP_OFF ||
                            sandbox->landlock.items != NULL;
    return check_paths(&sandbox->landlock, place);
}

static snakepit_err check_devices(const struct sp_devices *devices,
                                  const struct sp_place *place)
{
    if (devices->values.count == 0) {
        struct sp_place list = sp_place_key(place, "values", place->line);
        return sp_problem(&list, "expected a list of at least one text");
    }
    if (strchr(devices->variable, '=') != NULL) {
        char shown[SP_QUOTED_MAX];
        struct sp_place name = sp_place_key(place, "variable", place->line);
        return sp_problem(&name,
                          "expected the name of an environment variable, got %s",
                          sp_quote(devices->variable, shown));
    }
    return SNAKEPIT_OK;
}

static snakepit_err check_tls(const struct sp_tls_config *tls,
                              const struct sp_place *place)
{
    if (tls->certificate != NULL && tls->key != NULL) {
        return SNAKEPIT_OK;
    }
    return sp_problem(place,
                      "expected a \"certificate\" and its \"key\"; the %s is missing",
                      tls->certificate != NULL ? "key" : "certificate");
}

// "https://app.example.com:8080": what a browser sends, letter by letter.
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    return host != NULL && host != text && host[3] != '\0' &&
           strpbrk(host + 3, "/?#*@ ") == NULL;
}

static snakepit_err check_compatibility(const struct sp_texts *kept,
                                        const struct sp_place *place)
{
    for (size_t i = 0; i < kept->count; i++) {
        if (strcmp(kept->items[i], "bridge") != 0) {
            char shown[SP_QUOTED_MAX];
            struct sp_place list = sp_place_key(place, "compatibility", place->line);
            struct sp_place item = sp_place_item(&list, i, place->line);
            return sp_problem(
                &item, "expected \"bridge\", got %s", sp_quote(kept->items[i], shown));
        }
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_yaml_check_serve(const struct sp_serve_config *serve,
                                 const struct sp_place *place)
{
    for (size_t i = 0; i < serve->origins.count; i++) {
        if (!is_origin(serve->origins.items[i])) {
            char shown[SP_QUOTED_MAX];
            struct sp_place list = sp_place_key(place, "origins", place->line);
            struct sp_place item = sp_place_item(&list, i, place->line);
            return sp_problem(&item,
                              "expected an origin such as "
                              "\"https://app.example.com\", got %s",
                              sp_quote(serve->origins.items[i], shown));
        }
    }
    return check_compatibility(&serve->compatibility, place);
}

static snakepit_err finish_serve(struct sp_serve_config *serve,
                                 const struct sp_place *place)
{
    serve->given = true;
    return sp_yaml_check_serve(serve, place);
}

// What the keys of a group say together.
static snakepit_err finish(const struct group *group, const struct sp_place *place)
{
    struct sp_retry_keys *retry = group->keys;
    switch (group->scope) {
    case SP_SCOPE_SANDBOX:
        return finish_sandbox(group->keys, place);
    case SP_SCOPE_DEVICES:
        return check_devices(group->keys, place);
    case SP_SCOPE_RETRY:
        retry->backoff_max_ms = retry->backoff_max_ms < retry->backoff_ms
                                    ? retry->backoff_ms
                                    : retry->backoff_max_ms;
        return SNAKEPIT_OK;
    case SP_SCOPE_TLS:
        return check_tls(group->keys, place);
    case SP_SCOPE_SERVE:
        return finish_serve(group->keys, place);
    default:
        return SNAKEPIT_OK;
    }
}

static snakepit_err set_map(struct sp_yaml *yaml,
                            const yaml_node_t *node,
                            const struct sp_place *place,
                            const struct group *group)
{
    snakepit_err err = sp_yaml_check_map(yaml, node, place);
    err = err != SNAKEPIT_OK ? err
                             : sp_yaml_set_defaults(group->scope, group->keys, place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        err = set_pair(yaml, pair, place, group);
    }
    return err != SNAKEPIT_OK ? err : finish(group, place);
}

static snakepit_err set_word(const yaml_node_t *node,
                             const struct sp_place *place,
                             const struct group *group)
{
    static const char strict[] = "{no_new_privs: true, seccomp: default, landlock: []}";
    const char *word = (const char *)node->data.scalar.value;
    if (strcmp(word, "off") == 0) {
        return SNAKEPIT_OK;
    }
    struct sp_yaml yaml = {0};
    snakepit_err err = sp_yaml_load(&yaml, strict, sizeof strict - 1, place);
    err = err != SNAKEPIT_OK ? err : set_map(&yaml, yaml.root, place, group);
    sp_yaml_fini(&yaml);
    return err;
}

// True for `off`, and `strict` for a sandbox, which stand for a map.
static bool is_word(const yaml_node_t *node, enum sp_kind kind)
{
    const char *word = (const char *)node->data.scalar.value;
    bool never =
        kind == SP_KIND_THRESHOLD || kind == SP_KIND_SERVE || kind == SP_KIND_TLS;
    return node->type == YAML_SCALAR_NODE && !never &&
           (strcmp(word, "off") == 0 ||
            (kind == SP_KIND_SANDBOX && strcmp(word, "strict") == 0));
}

static snakepit_err set_group(struct sp_yaml *yaml,
                              const yaml_node_t *node,
                              const struct sp_option *option,
                              void *target,
                              const struct sp_place *place)
{
    char shown[SP_QUOTED_MAX];
    struct group group = {.keys = sp_option_field(option, target)};
    bool is_map = node->type == YAML_MAPPING_NODE;
    if (!sp_option_is_group(option, &group.scope) ||
        (!is_map && !is_word(node, option->kind))) {
        return sp_option_expected(option, sp_yaml_describe(node, shown), place);
    }
    snakepit_err err = is_map ? sp_yaml_check_count(node, place) : SNAKEPIT_OK;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    // As a list, it is replaced as a whole.
    sp_option_clear(option, target);
    return is_map ? set_map(yaml, node, place, &group) : set_word(node, place, &group);
}

// ---- Lists of groups ----------------------------------------------------------

static size_t line_of(struct sp_yaml *yaml, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *value = sp_yaml_value(yaml, map, key);
    return value != NULL ? sp_yaml_line(value) : 0;
}

static snakepit_err set_listener_map(struct sp_yaml *yaml,
                                     const yaml_node_t *node,
                                     const struct sp_place *place,
                                     struct sp_listener_config *listener)
{
    const struct group group = {SP_SCOPE_LISTENER, listener};
    snakepit_err err = set_map(yaml, node, place, &group);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (listener->address == NULL) {
        return sp_problem(place, "expected an \"address\", such as \"127.0.0.1:8470\"");
    }
    struct sp_listener_lines lines = {.address = line_of(yaml, node, "address"),
                                      .mode = line_of(yaml, node, "mode"),
                                      .users = line_of(yaml, node, "users"),
                                      .door = line_of(yaml, node, "door")};
    return sp_listener_finish(listener, &lines, place);
}

// An item that is just an address.
static snakepit_err set_address(struct sp_listener_config *listener,
                                const char *text,
                                const struct sp_place *place)
{
    const struct sp_listener_lines none = {0};
    snakepit_err err = sp_yaml_set_defaults(SP_SCOPE_LISTENER, listener, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    listener->address = sp_strdup(text);
    return listener->address != NULL ? sp_listener_finish(listener, &none, place)
                                     : SNAKEPIT_NO_MEMORY;
}

static snakepit_err set_listener(struct sp_yaml *yaml,
                                 const yaml_node_t *node,
                                 const struct sp_place *place,
                                 struct sp_listener_config *listener)
{
    const char *text = NULL;
    if (node->type == YAML_MAPPING_NODE) {
        return set_listener_map(yaml, node, place, listener);
    }
    snakepit_err err = sp_yaml_text(node, "an address or a map", place, &text);
    return err != SNAKEPIT_OK ? err : set_address(listener, text, place);
}

static snakepit_err set_listeners(struct sp_yaml *yaml,
                                  const yaml_node_t *node,
                                  const struct sp_option *option,
                                  void *target,
                                  const struct sp_place *place)
{
    struct sp_listeners *listeners = sp_option_field(option, target);
    char shown[SP_QUOTED_MAX];
    if (node->type != YAML_SEQUENCE_NODE) {
        return sp_option_expected(option, sp_yaml_describe(node, shown), place);
    }
    const yaml_node_item_t *first = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - first);
    if (count == 0 || count > SP_LISTENERS_MAX) {
        return sp_problem(place,
                          "expected a list of 1 to %u addresses, got %zu",
                          SP_LISTENERS_MAX,
                          count);
    }
    sp_option_clear(option, target);
    listeners->items = sp_alloc_array(count, sizeof *listeners->items);
    snakepit_err err = listeners->items != NULL ? sp_yaml_check_count(node, place)
                                                : SNAKEPIT_NO_MEMORY;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        const yaml_node_t *item = sp_yaml_node(yaml, first[i]);
        struct sp_place where = sp_place_item(place, i, sp_yaml_line(item));
        listeners->count = i + 1;
        err = set_listener(yaml, item, &where, &listeners->items[i]);
        err = err != SNAKEPIT_OK ? err : sp_listeners_check_last(listeners, &where);
    }
    return err;
}

// ---- All of them --------------------------------------------------------------

snakepit_err sp_yaml_set_option(struct sp_yaml *yaml,
                                const yaml_node_t *node,
                                const struct sp_option *option,
                                void *target,
                                const struct sp_place *place)
{
    enum sp_scope scope;
    if (sp_option_is_group(option, &scope)) {
        return set_group(yaml, node, option, target, place);
    }
    return option->kind == SP_KIND_LISTENERS
               ? set_listeners(yaml, node, option, target, place)
               : set_plain(yaml, node, option, target, place);
}

// The one address of `["ADDRESS"]`.
static snakepit_err set_default_list(const struct sp_option *option,
                                     void *target,
                                     const struct sp_place *place)
{
    struct sp_listeners *listeners = sp_option_field(option, target);
    const char *first = option->fixed + strcspn(option->fixed, "\"") + 1;
    char text[64];
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(first, "\""), first);
    listeners->items = sp_alloc(sizeof *listeners->items);
    if (listeners->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    listeners->count = 1;
    return set_address(listeners->items, text, place);
}

snakepit_err
sp_yaml_set_defaults(enum sp_scope scope, void *target, const struct sp_place *place)
{
    const struct sp_option *option;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope != scope || option->fixed == NULL) {
            continue;
        }
        err = option->kind == SP_KIND_LISTENERS
                  ? set_default_list(option, target, place)
                  : sp_option_set_default(option, target, place);
    }
    return err;
}
