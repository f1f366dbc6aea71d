// SPDX-License-Identifier: MIT
// Overrides from the environment. A scalar is taken as it is, without YAML's quotes and
// escapes; a list or a map is YAML; an empty one may be an empty text.
#include "config/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/program.h"
#include "config/yaml.h"

#define PREFIX "SNAKEPIT_"
#define SERVE  "serve_"

extern char **environ;

static char to_variable(char byte)
{
    bool small = byte >= 'a' && byte <= 'z';
    bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    return (char)(small ? byte - 'a' + 'A' : plain ? byte : '_');
}

void sp_variable_name(const char *pool, const char *key, char name[SP_VARIABLE_MAX])
{
    (void)snprintf(name,
                   SP_VARIABLE_MAX,
                   PREFIX "%s%s%s%s",
                   pool != NULL ? "POOL_" : "",
                   pool != NULL ? pool : "",
                   pool != NULL ? "_" : "",
                   key);
    for (char *at = name; *at != '\0'; at++) {
        *at = to_variable(*at);
    }
}

// The key of `option` as a variable of the whole file has it.
static const char *key_at_top(const struct sp_option *option, char key[SP_VARIABLE_MAX])
{
    bool serves = option->scope == SP_SCOPE_SERVE;
    (void)snprintf(key, SP_VARIABLE_MAX, "%s%s", serves ? SERVE : "", option->key);
    return key;
}

const char *sp_variable_find(const struct sp_option *option,
                             const struct sp_pool_config *pool,
                             enum sp_reach reach,
                             char name[SP_VARIABLE_MAX])
{
    const char *value = NULL;
    if (pool != NULL) {
        sp_variable_name(pool->name, option->key, name);
        value = sp_program_variable(name);
    }
    // SNAKEPIT_PYTHON is the default interpreter and not an order: a pool that names
    // its own keeps it.
    if (value == NULL && reach == SP_REACH_ALL && option->kind != SP_KIND_PROGRAM) {
        char key[SP_VARIABLE_MAX];
        sp_variable_name(NULL, key_at_top(option, key), name);
        value = sp_program_variable(name);
    }
    return value;
}

static snakepit_err apply_yaml(const struct sp_option *option,
                               void *target,
                               const char *value,
                               const struct sp_place *place)
{
    struct sp_yaml yaml;
    snakepit_err err = sp_yaml_load(&yaml, value, strlen(value), place);
    err = err != SNAKEPIT_OK
              ? err
              : sp_yaml_set_option(&yaml, yaml.root, option, target, place);
    sp_yaml_fini(&yaml);
    return err;
}

// Addresses with commas between, as a list of YAML. NO_MEMORY.
static snakepit_err quote_addresses(const char *value, struct sp_buf *yaml)
{
    snakepit_err err = sp_buf_append(yaml, "[", 1);
    while (err == SNAKEPIT_OK && *value != '\0') {
        value += strspn(value, " ");
        size_t length = strcspn(value, ",");
        size_t shown = length;
        while (shown > 0 && value[shown - 1] == ' ') {
            shown--;
        }
        err = sp_buf_append(yaml, "'", 1);
        for (size_t i = 0; err == SNAKEPIT_OK && i < shown; i++) {
            err = value[i] == '\'' ? sp_buf_append(yaml, "''", 2)
                                   : sp_buf_append(yaml, &value[i], 1);
        }
        err = err != SNAKEPIT_OK ? err : sp_buf_append(yaml, "', ", 3);
        value += length + (value[length] == ',');
    }
    return err != SNAKEPIT_OK ? err : sp_buf_append(yaml, "]", 2);
}

// Where to listen may be said without YAML. A list of YAML ends as no address does.
static snakepit_err apply_listeners(const struct sp_option *option,
                                    void *target,
                                    const char *value,
                                    const struct sp_place *place)
{
    struct sp_buf list = {0};
    size_t length = strlen(value);
    bool is_yaml = length > 1 && value[0] == '[' && value[length - 1] == ']';
    snakepit_err err = is_yaml ? SNAKEPIT_OK : quote_addresses(value, &list);
    err = err != SNAKEPIT_OK
              ? err
              : apply_yaml(option, target, is_yaml ? value : (char *)list.data, place);
    sp_buf_fini(&list);
    return err;
}

static snakepit_err apply_collection(const struct sp_option *option,
                                     void *target,
                                     const char *value,
                                     const struct sp_place *place)
{
    enum sp_scope scope;
    if (value[0] == '\0' && sp_option_is_group(option, &scope)) {
        return sp_option_expected(option, "an empty text", place);
    }
    if (option->kind == SP_KIND_LISTENERS) {
        return apply_listeners(option, target, value, place);
    }
    return apply_yaml(option, target, value[0] == '\0' ? option->fixed : value, place);
}

snakepit_err sp_variable_apply(const struct sp_option *option,
                               void *target,
                               const char *value,
                               const struct sp_place *place)
{
    return sp_option_is_collection(option)
               ? apply_collection(option, target, value, place)
               : sp_option_set(option, target, value, false, place);
}

// The name of the variable in `entry`, "NAME=value", behind PREFIX and in small
// letters; false for the variables of others.
static bool take_key(const char *entry, char key[SP_VARIABLE_MAX])
{
    size_t skip = strlen(PREFIX);
    size_t length = strcspn(entry, "=");
    if (strncmp(entry, PREFIX, skip) != 0 || length - skip >= SP_VARIABLE_MAX) {
        return false;
    }
    for (size_t i = skip; i < length; i++) {
        bool capital = entry[i] >= 'A' && entry[i] <= 'Z';
        key[i - skip] = (char)(capital ? entry[i] - 'A' + 'a' : entry[i]);
    }
    key[length - skip] = '\0';
    return true;
}

// What `key` means behind "pool_<name>_"; NULL if it is of no pool of that name.
static const char *skip_pool(const char *key, const struct sp_pool_config *pool)
{
    char prefix[SP_VARIABLE_MAX];
    char lowered[SP_VARIABLE_MAX];
    sp_variable_name(pool->name, "", prefix);
    return take_key(prefix, lowered) && strncmp(key, lowered, strlen(lowered)) == 0
               ? key + strlen(lowered)
               : NULL;
}

static snakepit_err refuse(const char *entry,
                           const char *pool,
                           const char *key,
                           const struct sp_place *place)
{
    char meant[SP_VARIABLE_MAX];
    sp_variable_name(pool, key, meant);
    return sp_problem(place,
                      "%.*s: unknown variable; did you mean \"%s\"?",
                      (int)strcspn(entry, "="),
                      entry,
                      meant);
}

static snakepit_err refuse_later(const char *entry, const struct sp_place *place)
{
    return sp_problem(place,
                      "%.*s: unknown variable; it is not available yet in this version",
                      (int)strcspn(entry, "="),
                      entry);
}

// What `key` says of `serve`; NULL: nothing.
static const char *behind_serve(const char *key)
{
    return strncmp(key, SERVE, strlen(SERVE)) == 0 ? key + strlen(SERVE) : NULL;
}

// A key of `serve`, of which a slip is one of ours as well, also in that first word.
static snakepit_err
check_serve_key(const char *entry, const char *key, const struct sp_place *place)
{
    size_t length = strcspn(key, "_");
    char word[SP_VARIABLE_MAX];
    char meant[SP_VARIABLE_MAX];
    if (key[length] == '\0') {
        return SNAKEPIT_OK;
    }
    (void)snprintf(word, sizeof word, "%.*s", (int)length, key);
    const char *rest = key + length + 1;
    bool exact = strcmp(word, "serve") == 0;
    if (!exact && !sp_option_is_slip(word, "serve")) {
        return SNAKEPIT_OK;
    }
    if (exact && sp_option_is_later(SP_SCOPE_BIT(SP_SCOPE_SERVE), rest)) {
        return refuse_later(entry, place);
    }
    const struct sp_option *option = sp_option_find(SP_SCOPE_SERVE, rest);
    if (exact && option != NULL) {
        return SNAKEPIT_OK;
    }
    option = option != NULL ? option : sp_option_misspelt(SP_SCOPE_SERVE, rest);
    return option != NULL ? refuse(entry, NULL, key_at_top(option, meant), place)
                          : SNAKEPIT_OK;
}

// True if `key` is not an option of `scope` but very like one, which `*meant` then
// names.
static bool is_slip(enum sp_scope scope, const char *key, const char **meant)
{
    const struct sp_option *option = sp_option_misspelt(scope, key);
    *meant = option != NULL ? option->key : "";
    return option != NULL && strcmp(option->key, key) != 0;
}

// The name of a pool as variables have it, in small letters.
static void lower_name(const char *name, char lowered[SP_VARIABLE_MAX])
{
    char variable[SP_VARIABLE_MAX];
    sp_variable_name(NULL, name, variable);
    if (!take_key(variable, lowered)) {
        lowered[0] = '\0';
    }
}

// The key that `rest`, "<name>_<key>", ends with, if the name before it is nearly that
// of `pool`; NULL otherwise.
static const char *key_behind_slip(const char *rest, const struct sp_pool_config *pool)
{
    const struct sp_option *option = NULL;
    char name[SP_VARIABLE_MAX];
    char meant[SP_VARIABLE_MAX];
    lower_name(pool->name, meant);
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        size_t tail = strlen(option->key) + 1;
        size_t length = strlen(rest);
        if (option->scope != SP_SCOPE_POOL || length <= tail ||
            rest[length - tail] != '_' ||
            strcmp(rest + length - tail + 1, option->key) != 0) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)(length - tail), rest);
        if (sp_option_is_slip(name, meant)) {
            return option->key;
        }
    }
    return NULL;
}

// A variable of no pool that there is: one that means another program's pool passes, so
// that several configurations can share an environment.
static snakepit_err check_pool_name(const struct sp_config *config,
                                    const char *entry,
                                    const char *key,
                                    const struct sp_place *place)
{
    size_t skip = strlen("pool_");
    if (strncmp(key, "pool_", skip) != 0) {
        return SNAKEPIT_OK;
    }
    for (size_t i = 0; i < config->count; i++) {
        const char *found = key_behind_slip(key + skip, &config->pools[i]);
        if (found != NULL) {
            return refuse(entry, config->pools[i].name, found, place);
        }
    }
    return SNAKEPIT_OK;
}

// The pool that a variable is of, and what it says of it in `*rest`; NULL if it is of
// none. One name may begin with another: then the option decides, or else the longer.
static const struct sp_pool_config *
find_pool(const struct sp_config *config, const char *key, const char **rest)
{
    const struct sp_pool_config *found = NULL;
    for (size_t i = 0; i < config->count; i++) {
        const char *behind = skip_pool(key, &config->pools[i]);
        if (behind != NULL && sp_option_find(SP_SCOPE_POOL, behind) != NULL) {
            *rest = behind;
            return &config->pools[i];
        }
        if (behind != NULL && (found == NULL || behind > *rest)) {
            *rest = behind;
            found = &config->pools[i];
        }
    }
    return found;
}

static snakepit_err check_pool_key(const struct sp_pool_config *pool,
                                   const char *entry,
                                   const char *key,
                                   const struct sp_place *place)
{
    const char *meant = NULL;
    if (sp_option_is_later(SP_SCOPE_BIT(SP_SCOPE_POOL), key)) {
        return refuse_later(entry, place);
    }
    const char *serve = behind_serve(key);
    if (sp_option_find(SP_SCOPE_TOP, key) != NULL ||
        (serve != NULL && sp_option_find(SP_SCOPE_SERVE, serve) != NULL)) {
        return refuse(entry, NULL, key, place);
    }
    return is_slip(SP_SCOPE_POOL, key, &meant) ? refuse(entry, pool->name, meant, place)
                                               : SNAKEPIT_OK;
}

static snakepit_err check_name(const struct sp_config *config,
                               const char *entry,
                               const char *key,
                               const struct sp_place *place)
{
    const char *meant = NULL;
    const char *rest = NULL;
    const struct sp_pool_config *pool = find_pool(config, key, &rest);
    if (pool != NULL) {
        return check_pool_key(pool, entry, rest, place);
    }
    if (sp_option_is_later(SP_SCOPE_BIT(SP_SCOPE_POOL), key)) {
        return refuse_later(entry, place);
    }
    bool known = sp_option_find(SP_SCOPE_POOL, key) != NULL ||
                 sp_option_find(SP_SCOPE_TOP, key) != NULL;
    if (!known &&
        (is_slip(SP_SCOPE_POOL, key, &meant) || is_slip(SP_SCOPE_TOP, key, &meant))) {
        return refuse(entry, NULL, meant, place);
    }
    snakepit_err err = known ? SNAKEPIT_OK : check_pool_name(config, entry, key, place);
    return err != SNAKEPIT_OK || known ? err : check_serve_key(entry, key, place);
}

snakepit_err sp_variable_check_names(const struct sp_config *config,
                                     const struct sp_place *place)
{
    char key[SP_VARIABLE_MAX];
    snakepit_err err = SNAKEPIT_OK;
    for (char **entry = environ; err == SNAKEPIT_OK && entry != NULL && *entry != NULL;
         entry++) {
        if (take_key(*entry, key)) {
            err = check_name(config, *entry, key, place);
        }
    }
    return err;
}
