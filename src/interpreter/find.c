// SPDX-License-Identifier: MIT
// The interpreters of this machine. One of them often has five names, so what is found
// is compared by what it really runs.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/slice.h"
#include "config/program.h"
#include "interpreter/interpreter.h"

// A variable that names an interpreter, a command, or what tools/bootstrap has built.
enum kind { VARIABLE, COMMAND, BUILT };

static const struct name {
    const char *text;
    enum kind kind;
} names[] = {
    {"SNAKEPIT_PYTHON", VARIABLE},
    {"SNAKEPIT_PYTHON_FT", VARIABLE},
    {"python3", COMMAND},
    {"python3.14", COMMAND},
    {"python3.13", COMMAND},
    {"python3.12", COMMAND},
    {"python3.11", COMMAND},
    {"python3.10", COMMAND},
    {"python3.9", COMMAND},
    {"python3.14t", COMMAND},
    {"python3.13t", COMMAND},
    {"tools/bootstrap", BUILT},
};

#define NAMES (sizeof(names) / sizeof(names[0]))

// True if both run the same program in the same environment.
static bool is_same(const struct sp_interpreter *a, const struct sp_interpreter *b)
{
    char *left = realpath(a->executable, NULL);
    char *right = realpath(b->executable, NULL);
    bool same = left != NULL && right != NULL && strcmp(left, right) == 0 &&
                strcmp(a->prefix, b->prefix) == 0;
    free(left);
    free(right);
    return same;
}

static bool is_listed(const struct sp_interpreter_list *list,
                      const struct sp_interpreter *other)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].problem == NULL &&
            is_same(&list->items[i].interpreter, other)) {
            return true;
        }
    }
    return false;
}

// Where tools/bootstrap keeps what it has built, by the rules that it follows itself.
// NO_MEMORY; OK with nothing written if there is no such place.
static snakepit_err find_built(struct sp_buf *path)
{
    static const struct {
        const char *variable;
        const char *below;
    } places[] = {
        {"SNAKEPIT_CACHE", ""},
        {"XDG_CACHE_HOME", "/snakepit"},
        {"HOME", "/.cache/snakepit"},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *value = sp_program_variable(places[i].variable);
        if (value != NULL && value[0] != '\0') {
            return sp_buf_printf(
                path, "%s%s/python-3.13t/bin/python3.13t", value, places[i].below);
        }
    }
    return SNAKEPIT_OK;
}

// Adds what a command or path leads to. NO_MEMORY.
static snakepit_err add_program(struct sp_interpreter_list *list,
                                const struct name *name,
                                const char *python)
{
    snakepit_message why = {0};
    struct sp_interpreter_entry *entry = &list->items[list->count];
    snakepit_err err = sp_interpreter_probe(python, NULL, &entry->interpreter, &why);
    if (err == SNAKEPIT_NO_MEMORY || (err != SNAKEPIT_OK && name->kind != VARIABLE)) {
        return err == SNAKEPIT_NO_MEMORY ? err : SNAKEPIT_OK;
    }
    if (err == SNAKEPIT_OK && is_listed(list, &entry->interpreter)) {
        sp_interpreter_fini(&entry->interpreter);
        return SNAKEPIT_OK;
    }
    entry->found_as = name->text;
    entry->problem = err != SNAKEPIT_OK ? sp_strdup(why.text) : NULL;
    if (err != SNAKEPIT_OK && entry->problem == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    list->count++;
    return SNAKEPIT_OK;
}

// Adds what a name leads to. NO_MEMORY.
static snakepit_err add(struct sp_interpreter_list *list, const struct name *name)
{
    struct sp_buf built = {0};
    const char *python = name->text;
    if (name->kind == VARIABLE) {
        python = sp_program_variable(name->text);
    } else if (name->kind == BUILT) {
        snakepit_err err = find_built(&built);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        python = (const char *)built.data;
    }
    snakepit_err err = python != NULL && python[0] != '\0'
                           ? add_program(list, name, python)
                           : SNAKEPIT_OK;
    sp_buf_fini(&built);
    return err;
}

snakepit_err sp_interpreter_find(struct sp_interpreter_list *list)
{
    struct sp_interpreter_list found = {
        .items = sp_alloc_array(NAMES, sizeof(*found.items))};
    snakepit_err err = found.items != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    for (size_t i = 0; err == SNAKEPIT_OK && i < NAMES; i++) {
        err = add(&found, &names[i]);
    }
    if (err != SNAKEPIT_OK) {
        sp_interpreter_list_fini(&found);
        return err;
    }
    *list = found;
    return SNAKEPIT_OK;
}

void sp_interpreter_list_fini(struct sp_interpreter_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        sp_free(list->items[i].problem);
        sp_interpreter_fini(&list->items[i].interpreter);
    }
    sp_free(list->items);
    *list = (struct sp_interpreter_list){0};
}
