// SPDX-License-Identifier: MIT
// Reads a configuration. The file is walked once, in its own order, so that the first
// thing wrong in it is the one reported; then the pools are completed, because the top
// may come after them.
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"
#include "config/draft.h"
#include "config/environment.h"
#include "config/program.h"
#include "config/text_file.h"
#include "config/yaml.h"

#define POOLS_MAX 256u

// A configuration while it is read.
struct reading {
    struct sp_config *config;
    struct sp_yaml yaml;
    struct sp_place place;
    struct sp_draft *drafts; // one for each pool
    size_t pools_line;       // of the key `pools`; 0: the single-pool form
};

// ---- Keys ---------------------------------------------------------------------

static const char *key_text(const yaml_node_t *key)
{
    return (const char *)key->data.scalar.value;
}

static snakepit_err read_pool_pair(struct reading *reading,
                                   struct sp_draft *draft,
                                   const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = sp_yaml_node(&reading->yaml, pair->key);
    const yaml_node_t *value = sp_yaml_node(&reading->yaml, pair->value);
    if (strcmp(key_text(key), "name") == 0) {
        return sp_draft_set_name(draft, key, value);
    }
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, key_text(key));
    if (option != NULL) {
        return sp_draft_set(draft, &reading->yaml, option, key, value);
    }
    struct sp_place place =
        sp_place_key(&draft->place, key_text(key), sp_yaml_line(key));
    if (sp_option_find(SP_SCOPE_TOP, key_text(key)) != NULL) {
        return sp_problem(&place, "expected at the top of the file, not in a pool");
    }
    return sp_option_unknown(SP_SCOPE_BIT(SP_SCOPE_POOL), key_text(key), &place);
}

static snakepit_err check_name_is_new(const struct reading *reading, size_t index)
{
    const struct sp_draft *drafts = reading->drafts;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(drafts[i].pool->name, drafts[index].pool->name) == 0) {
            struct sp_place place =
                sp_place_key(&drafts[index].place, "name", drafts[index].name_line);
            return sp_problem(&place,
                              "a second pool named \"%s\"; the first is on line %zu",
                              drafts[i].pool->name,
                              drafts[i].name_line);
        }
    }
    return SNAKEPIT_OK;
}

static void
init_draft(struct reading *reading, size_t index, const struct sp_place *place)
{
    reading->drafts[index].config = reading->config;
    reading->drafts[index].pool = &reading->config->pools[index];
    reading->drafts[index].place = *place;
}

static snakepit_err
read_pool(struct reading *reading, size_t index, const yaml_node_t *node)
{
    struct sp_draft *draft = &reading->drafts[index];
    char shown[SP_QUOTED_MAX];
    if (node->type != YAML_MAPPING_NODE) {
        return sp_problem(&draft->place,
                          "expected a map with the keys of a pool, got %s",
                          sp_yaml_describe(node, shown));
    }
    snakepit_err err = sp_yaml_check_map(&reading->yaml, node, &draft->place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        err = read_pool_pair(reading, draft, pair);
    }
    if (err == SNAKEPIT_OK && draft->pool->name == NULL) {
        return sp_problem(&draft->place,
                          "expected a name; a pool is called by its \"name\"");
    }
    return err == SNAKEPIT_OK ? check_name_is_new(reading, index) : err;
}

static snakepit_err allocate_pools(struct reading *reading, size_t count)
{
    reading->config->pools = sp_alloc_array(count, sizeof(*reading->config->pools));
    reading->drafts = sp_alloc_array(count, sizeof(*reading->drafts));
    if (reading->config->pools == NULL || reading->drafts == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    reading->config->count = count;
    return SNAKEPIT_OK;
}

static snakepit_err
read_pools(struct reading *reading, const yaml_node_t *node, size_t line)
{
    struct sp_place list = sp_place_key(&reading->place, "pools", line);
    char shown[SP_QUOTED_MAX];
    if (node->type != YAML_SEQUENCE_NODE) {
        return sp_problem(
            &list, "expected a list of pools, got %s", sp_yaml_describe(node, shown));
    }
    snakepit_err err = sp_yaml_check_count(node, &list);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    if (count > POOLS_MAX) {
        return sp_problem(
            &list, "expected at most %u pools, got %zu", POOLS_MAX, count);
    }
    err = allocate_pools(reading, count);
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        const yaml_node_t *item = sp_yaml_node(&reading->yaml, items[i]);
        struct sp_place place = sp_place_item(&list, i, sp_yaml_line(item));
        init_draft(reading, i, &place);
        err = read_pool(reading, i, item);
    }
    return err;
}

// ---- Top ----------------------------------------------------------------------

static snakepit_err read_single_pair(struct reading *reading,
                                     const yaml_node_t *key,
                                     const yaml_node_t *value)
{
    const unsigned both = SP_SCOPE_BIT(SP_SCOPE_TOP) | SP_SCOPE_BIT(SP_SCOPE_POOL);
    const char *text = key_text(key);
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, text);
    struct sp_place place = sp_place_key(&reading->place, text, sp_yaml_line(key));
    bool named = strcmp(text, "name") == 0;
    if (reading->pools_line != 0 && (option != NULL || named)) {
        return sp_problem(&place,
                          "expected in an item of \"pools\", which is on line %zu",
                          reading->pools_line);
    }
    if (option != NULL) {
        return sp_draft_set(reading->drafts, &reading->yaml, option, key, value);
    }
    if (named) {
        return sp_problem(
            &place,
            "only an item of \"pools\" has a name; a single pool is \"default\"");
    }
    return sp_option_unknown(
        reading->pools_line != 0 ? SP_SCOPE_BIT(SP_SCOPE_TOP) : both, text, &place);
}

static snakepit_err read_pair(struct reading *reading, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = sp_yaml_node(&reading->yaml, pair->key);
    const yaml_node_t *value = sp_yaml_node(&reading->yaml, pair->value);
    const struct sp_option *option = sp_option_find(SP_SCOPE_TOP, key_text(key));
    if (option != NULL) {
        struct sp_place place =
            sp_place_key(&reading->place, option->key, sp_yaml_line(key));
        return sp_yaml_set_option(
            &reading->yaml, value, option, reading->config, &place);
    }
    return strcmp(key_text(key), "pools") == 0
               ? read_pools(reading, value, reading->pools_line)
               : read_single_pair(reading, key, value);
}

// Which of the two forms it is must be known before the first key is judged.
static snakepit_err choose_form(struct reading *reading)
{
    const yaml_node_t *root = reading->yaml.root;
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = sp_yaml_node(&reading->yaml, pair->key);
        if (strcmp(key_text(key), "pools") == 0) {
            reading->pools_line = sp_yaml_line(key);
            return SNAKEPIT_OK;
        }
    }
    snakepit_err err = allocate_pools(reading, 1);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    init_draft(reading, 0, &reading->place);
    reading->config->pools[0].name = sp_strdup("default");
    return reading->config->pools[0].name != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err read_top(struct reading *reading)
{
    const yaml_node_t *root = reading->yaml.root;
    SP_CHECK(root != NULL);
    if (root->type != YAML_MAPPING_NODE) {
        char shown[SP_QUOTED_MAX];
        struct sp_place place = reading->place;
        place.line = sp_yaml_line(root);
        return sp_problem(&place,
                          "expected a map of keys and values, got %s",
                          sp_yaml_describe(root, shown));
    }
    snakepit_err err = sp_yaml_check_map(&reading->yaml, root, &reading->place);
    err = err != SNAKEPIT_OK ? err : choose_form(reading);
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < root->data.mapping.pairs.top;
         pair++) {
        err = read_pair(reading, pair);
    }
    return err;
}

static snakepit_err apply_top_defaults(struct reading *reading)
{
    struct sp_config *config = reading->config;
    snakepit_err err = sp_yaml_set_defaults(SP_SCOPE_TOP, config, &reading->place);
    return err != SNAKEPIT_OK
               ? err
               : sp_yaml_set_defaults(SP_SCOPE_SERVE, &config->serve, &reading->place);
}

// Sets an option from a word of its owner, from whose folder paths in it count.
static snakepit_err apply_word(const struct sp_option *option,
                               void *target,
                               const char *value,
                               const struct sp_place *place)
{
    char *current = NULL;
    struct sp_place where = *place;
    // Where there is no such folder, a path stays as it was written.
    if (sp_program_directory(&current) == SNAKEPIT_NO_MEMORY) {
        return SNAKEPIT_NO_MEMORY;
    }
    where.directory = current;
    snakepit_err err = sp_variable_apply(option, target, value, &where);
    sp_free(current);
    return err;
}

static snakepit_err apply_top_variable(struct reading *reading,
                                       const struct sp_option *option,
                                       void *target)
{
    char name[SP_VARIABLE_MAX];
    const char *value = sp_variable_find(option, NULL, SP_REACH_ALL, name);
    if (value == NULL) {
        return SNAKEPIT_OK;
    }
    bool serves = option->scope == SP_SCOPE_SERVE;
    struct sp_place outer =
        serves ? sp_place_key(&reading->place, "serve", 0) : reading->place;
    struct sp_place place = sp_place_key(&outer, option->key, 0);
    place.variable = name;
    reading->config->serve.given |= serves;
    snakepit_err err = apply_word(option, target, value, &place);
    outer.variable = name;
    return err == SNAKEPIT_OK && serves ? sp_yaml_check_serve(target, &outer) : err;
}

// Those of `serve` come after the one that replaces it as a whole.
static snakepit_err
apply_variables(struct reading *reading, enum sp_scope scope, void *target)
{
    const struct sp_option *option = NULL;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        err = option->scope == scope ? apply_top_variable(reading, option, target)
                                     : SNAKEPIT_OK;
    }
    return err;
}

static snakepit_err apply_top_variables(struct reading *reading)
{
    struct sp_config *config = reading->config;
    snakepit_err err = apply_variables(reading, SP_SCOPE_TOP, config);
    return err != SNAKEPIT_OK
               ? err
               : apply_variables(reading, SP_SCOPE_SERVE, &config->serve);
}

// The largest message must fit.
static snakepit_err check_serve(const struct reading *reading)
{
    const struct sp_serve_config *serve = &reading->config->serve;
    const struct sp_place outer = sp_place_key(&reading->place, "serve", 0);
    const struct sp_place place = sp_place_key(&outer, "max_memory", 0);
    return serve->max_memory >= serve->max_message
               ? SNAKEPIT_OK
               : sp_problem(&place,
                            "is less than max_message, so the largest message would "
                            "never fit; raise this, or lower max_message");
}

// ---- All of it ----------------------------------------------------------------

static snakepit_err read_all(struct reading *reading, const char *text, size_t bytes)
{
    snakepit_err err = apply_top_defaults(reading);
    err = err != SNAKEPIT_OK
              ? err
              : sp_yaml_load(&reading->yaml, text, bytes, &reading->place);
    err = err != SNAKEPIT_OK ? err : read_top(reading);
    err = err != SNAKEPIT_OK ? err : apply_top_variables(reading);
    err = err != SNAKEPIT_OK ? err : check_serve(reading);
    err = err != SNAKEPIT_OK
              ? err
              : sp_variable_check_names(reading->config, &reading->place);
    for (size_t i = 0; err == SNAKEPIT_OK && i < reading->config->count; i++) {
        err = sp_draft_finish(&reading->drafts[i]);
    }
    return err;
}

// The absolute directory in which `file` was named. A symbolic link is not followed:
// who links a configuration into a folder means the adapters of that folder.
static snakepit_err directory_of(const char *file, char **directory)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - file) + (slash == file);
    struct sp_buf named = {0};
    snakepit_err err = length == 0 ? sp_buf_printf(&named, ".")
                                   : sp_buf_printf(&named, "%.*s", (int)length, file);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    char *path = realpath((char *)named.data, NULL);
    if (path == NULL) {
        err = errno == ENOMEM ? SNAKEPIT_NO_MEMORY : SNAKEPIT_SYSTEM;
    } else {
        *directory = sp_strdup(path);
        err = *directory != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    }
    free(path);
    sp_buf_fini(&named);
    return err;
}

// `file` NULL: from memory.
static snakepit_err init_config(struct sp_config *config, const char *file)
{
    config->file = sp_strdup(file != NULL ? file : "<memory>");
    if (config->file == NULL ||
        sp_program_environment(&config->environment) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    return file != NULL ? directory_of(file, &config->directory)
                        : sp_program_directory(&config->directory);
}

// Workers are told of the folder in a message, whose texts are UTF-8.
static snakepit_err check_directory(const struct reading *reading)
{
    const uint8_t *at = (const uint8_t *)reading->config->directory;
    while (*at != 0) {
        size_t length = *at < 0x80 ? 1 : sp_utf8_length(at, strlen((const char *)at));
        if (length == 0) {
            return sp_problem(&reading->place,
                              "the name of its folder is not UTF-8, so workers cannot "
                              "be told of it; rename the folder");
        }
        at += length;
    }
    return SNAKEPIT_OK;
}

static snakepit_err read_text(const char *file,
                              struct sp_slice text,
                              struct sp_config **config,
                              snakepit_message *why)
{
    struct reading reading = {.config = sp_alloc(sizeof(*reading.config))};
    if (reading.config == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    reading.place =
        (struct sp_place){.file = file != NULL ? file : "<memory>", .why = why};
    snakepit_err err = init_config(reading.config, file);
    if (err == SNAKEPIT_SYSTEM) {
        snakepit_message reason;
        (void)sp_system_failed(
            &reason, file != NULL ? "realpath" : "getcwd", NULL, "of its directory");
        sp_problem(&reading.place, "its directory cannot be found: %s", reason.text);
    }
    reading.place.directory = reading.config->directory;
    err = err != SNAKEPIT_OK ? err : check_directory(&reading);
    err = err != SNAKEPIT_OK ? err
                             : read_all(&reading, (const char *)text.data, text.size);
    sp_yaml_fini(&reading.yaml);
    sp_free(reading.drafts);
    if (err != SNAKEPIT_OK) {
        sp_config_free(reading.config);
        return err;
    }
    *config = reading.config;
    return SNAKEPIT_OK;
}

static void explain_no_memory(snakepit_err err, snakepit_message *why)
{
    if (err == SNAKEPIT_NO_MEMORY && why != NULL) {
        (void)snprintf(why->text, sizeof(why->text), "memory is exhausted");
    }
}

snakepit_err
sp_config_read_file(const char *path, struct sp_config **config, snakepit_message *why)
{
    struct sp_buf text = {0};
    struct sp_place place = {.file = path, .why = why};
    int fd = sp_descriptor_keep(open(path, O_RDONLY | O_CLOEXEC));
    snakepit_err err =
        fd < 0 ? SNAKEPIT_SYSTEM : sp_text_file_read(fd, SP_YAML_BYTES_MAX, &text);
    if (err == SNAKEPIT_SYSTEM) {
        snakepit_message reason;
        (void)sp_system_failed(&reason, fd < 0 ? "open" : "read", NULL, "of the file");
        sp_problem(&place, "cannot be read: %s", reason.text);
    }
    sp_descriptor_close(&fd);
    if (err == SNAKEPIT_OK) {
        err = read_text(path, (struct sp_slice){text.data, text.size}, config, why);
    }
    sp_buf_fini(&text);
    explain_no_memory(err, why);
    return err;
}

snakepit_err sp_config_read_memory(const char *yaml,
                                   size_t bytes,
                                   struct sp_config **config,
                                   snakepit_message *why)
{
    struct sp_slice text = {(const uint8_t *)yaml, bytes};
    snakepit_err err = read_text(NULL, text, config, why);
    explain_no_memory(err, why);
    return err;
}

snakepit_err
sp_config_listen(struct sp_config *config, const char *addresses, snakepit_message *why)
{
    const struct sp_option *option = sp_option_find(SP_SCOPE_SERVE, "listen");
    SP_CHECK(option != NULL);
    struct sp_place place = {.file = "--listen", .why = why, .is_word = true};
    config->serve.given = true;
    snakepit_err err = apply_word(option, &config->serve, addresses, &place);
    explain_no_memory(err, why);
    return err;
}

static void clear(enum sp_scope scope, void *target)
{
    const struct sp_option *option = NULL;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == scope) {
            sp_option_clear(option, target);
        }
    }
}

void sp_config_ref(struct sp_config *config)
{
    (void)atomic_fetch_add_explicit(&config->others, 1, memory_order_relaxed);
}

// Whether nobody else has it.
static bool is_the_last(struct sp_config *config)
{
    uint32_t others = atomic_load_explicit(&config->others, memory_order_acquire);
    while (others > 0) {
        if (atomic_compare_exchange_weak(&config->others, &others, others - 1)) {
            return false;
        }
    }
    return true;
}

void sp_config_free(struct sp_config *config)
{
    if (config == NULL || !is_the_last(config)) {
        return;
    }
    for (size_t i = 0; i < config->count; i++) {
        clear(SP_SCOPE_POOL, &config->pools[i]);
        sp_free(config->pools[i].name);
    }
    clear(SP_SCOPE_TOP, config);
    sp_free(config->pools);
    sp_program_environment_free(config->environment);
    sp_free(config->directory);
    sp_free(config->file);
    sp_free(config);
}

const struct sp_pool_config *sp_config_pool(const struct sp_config *config,
                                            const char *name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->pools[i].name, name != NULL ? name : "default") == 0) {
            return &config->pools[i];
        }
    }
    return name == NULL && config->count != 0 ? &config->pools[0] : NULL;
}

const char *sp_profile_name(enum sp_profile profile)
{
    return profile == SP_PROFILE_THREAD ? "thread" : "process";
}
