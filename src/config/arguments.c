// SPDX-License-Identifier: MIT
// Reads adapter_args once, from the left; what is not understood moves up.
#include "config/arguments.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/environment.h"

static const struct flag {
    const char *text;
    const char *key;
} flags[] = {
    {"--adapter", "adapter"},
    {"--mode", "worker_profile"},
    {"--max-workers", "threads_per_worker"},
};

// The flag that `word` is, and in *value what follows a '=', or NULL.
static const struct flag *find_flag(const char *word, const char **value)
{
    size_t length = strcspn(word, "=");
    *value = word[length] == '=' ? word + length + 1 : NULL;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strlen(flags[i].text) == length &&
            memcmp(flags[i].text, word, length) == 0) {
            return &flags[i];
        }
    }
    return NULL;
}

// Where adapter_args came from; `name` keeps the variable's name alive.
static struct sp_place place_of_words(const struct sp_draft *draft,
                                      char name[SP_VARIABLE_MAX])
{
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, "adapter_args");
    size_t index = sp_option_index(option);
    struct sp_place place =
        sp_place_key(&draft->place, option->key, draft->lines[index]);
    if (draft->origins[index] == SP_ORIGIN_VARIABLE) {
        sp_variable_find(option, draft->pool, SP_REACH_ALL, name);
        place.variable = name;
    }
    return place;
}

static snakepit_err contradicts(const struct sp_draft *draft,
                                const struct sp_option *option,
                                const char *word,
                                const struct sp_place *place)
{
    char shown[SP_QUOTED_MAX];
    size_t line = draft->lines[sp_option_index(option)];
    sp_quote(word, shown);
    if (line == 0) {
        return sp_problem(
            place, "%s contradicts an earlier word; keep one of them", shown);
    }
    return sp_problem(place,
                      "%s contradicts %s on line %zu; keep one of them",
                      shown,
                      option->key,
                      line);
}

// Sets `option` to what an argument says. `word` is for people.
static snakepit_err set(struct sp_draft *draft,
                        const struct sp_option *option,
                        const char *value,
                        const struct sp_place *place)
{
    enum sp_origin *origin = &draft->origins[sp_option_index(option)];
    struct sp_pool_config said = {0};
    bool threaded = option->kind == SP_KIND_CHOICE && strcmp(value, "threaded") == 0;
    snakepit_err err =
        sp_option_set(option, &said, threaded ? "thread" : value, false, place);
    if (err == SNAKEPIT_OK && *origin == SP_ORIGIN_NOBODY) {
        *origin = SP_ORIGIN_ARGUMENT;
        err = sp_option_set(
            option, draft->pool, threaded ? "thread" : value, false, place);
    } else if (err == SNAKEPIT_OK && *origin != SP_ORIGIN_VARIABLE &&
               !sp_option_same(option, &said, draft->pool)) {
        err = contradicts(draft, option, value, place);
    }
    sp_option_clear(option, &said);
    return err;
}

// Handles the words from `index` on if they begin with a flag; *used says how many they
// are.
static snakepit_err take(struct sp_draft *draft, size_t index, size_t *used)
{
    const struct sp_texts *words = &draft->pool->adapter_args;
    const char *value = NULL;
    const struct flag *flag = find_flag(words->items[index], &value);
    *used = 0;
    if (flag == NULL) {
        return SNAKEPIT_OK;
    }
    char name[SP_VARIABLE_MAX];
    struct sp_place list = place_of_words(draft, name);
    struct sp_place place = sp_place_item(&list, index, list.line);
    *used = value != NULL ? 1 : 2;
    if (index + *used > words->count) {
        return sp_problem(&place, "expected a value behind \"%s\"", flag->text);
    }
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, flag->key);
    SP_CHECK(option != NULL);
    return set(draft, option, value != NULL ? value : words->items[index + 1], &place);
}

snakepit_err sp_arguments_apply(struct sp_draft *draft)
{
    struct sp_texts *words = &draft->pool->adapter_args;
    size_t kept = 0;
    for (size_t index = 0; index < words->count;) {
        size_t used = 0;
        snakepit_err err = take(draft, index, &used);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        for (size_t i = 0; i < used; i++) {
            sp_free(words->items[index + i]);
            words->items[index + i] = NULL;
        }
        if (used == 0) {
            char *word = words->items[index];
            words->items[index] = NULL;
            words->items[kept++] = word;
            used = 1;
        }
        index += used;
    }
    words->count = kept;
    return SNAKEPIT_OK;
}
