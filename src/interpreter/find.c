// SPDX-License-Identifier: MIT
// The interpreters of this machine. One of them often has five names, so what is found
// is compared by what it really runs.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/program.h"
#include "interpreter/interpreter.h"

// A variable that names an interpreter, or a command.
static const struct name {
    const char *text;
    bool is_variable;
} names[] = {
    {"SNAKEPIT_PYTHON", true},
    {"SNAKEPIT_PYTHON_FT", true},
    {"python3", false},
    {"python3.14", false},
    {"python3.13", false},
    {"python3.12", false},
    {"python3.11", false},
    {"python3.10", false},
    {"python3.9", false},
    {"python3.14t", false},
    {"python3.13t", false},
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

// Adds what a name leads to. NO_MEMORY.
static snakepit_err add(struct sp_interpreter_list *list, const struct name *name)
{
    const char *python =
        name->is_variable ? sp_program_variable(name->text) : name->text;
    if (python == NULL || python[0] == '\0') {
        return SNAKEPIT_OK;
    }
    snakepit_message why = {0};
    struct sp_interpreter_entry *entry = &list->items[list->count];
    snakepit_err err = sp_interpreter_probe(python, &entry->interpreter, &why);
    if (err == SNAKEPIT_NO_MEMORY || (err != SNAKEPIT_OK && !name->is_variable)) {
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
