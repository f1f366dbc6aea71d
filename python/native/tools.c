// SPDX-License-Identifier: MIT
// A hash table with linear probing; FNV-1a, for names are short.
#include "tools.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/layout.h"

static uint32_t hash_of(const uint8_t *name, uint32_t size)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < size; i++) {
        hash = (hash ^ name[i]) * 16777619u;
    }
    return hash;
}

// The place of that name, or the free one where it belongs. There always is a free one.
static struct sp_tool *place_of(const struct sp_tools *tools,
                                const uint8_t *name,
                                uint32_t size,
                                uint32_t hash)
{
    uint32_t mask = tools->room - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct sp_tool *place = &tools->places[i];
        if (place->name == NULL || (place->hash == hash && place->size == size &&
                                    memcmp(place->name, name, size) == 0)) {
            return place;
        }
    }
}

static int grow(struct sp_tools *tools)
{
    struct sp_tools grown = {.room = tools->room == 0 ? 16 : tools->room * 2,
                             .count = tools->count};
    grown.places = calloc(grown.room, sizeof *grown.places);
    if (grown.places == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < tools->room; i++) {
        const struct sp_tool *old = &tools->places[i];
        if (old->name != NULL) {
            *place_of(&grown, (const uint8_t *)old->name, old->size, old->hash) = *old;
        }
    }
    free(tools->places);
    *tools = grown;
    return 0;
}

int sp_tools_put(struct sp_tools *tools,
                 const char *name,
                 Py_ssize_t size,
                 PyObject *function)
{
    if (size <= 0 || size > (Py_ssize_t)SP_TOOL_NAME_MAX) {
        PyErr_Format(
            PyExc_ValueError, "a tool's name has 1 to %u bytes", SP_TOOL_NAME_MAX);
        return -1;
    }
    if (2 * (tools->count + 1) > tools->room && grow(tools) != 0) {
        return -1;
    }
    const uint8_t *bytes = (const uint8_t *)name;
    uint32_t hash = hash_of(bytes, (uint32_t)size);
    struct sp_tool *place = place_of(tools, bytes, (uint32_t)size, hash);
    if (place->name == NULL) {
        char *copy = malloc((size_t)size);
        if (copy == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(copy, name, (size_t)size);
        *place = (struct sp_tool){copy, (uint32_t)size, hash, NULL};
        tools->count++;
    }
    PyObject *old = place->function;
    Py_INCREF(function);
    place->function = function;
    Py_XDECREF(old);
    return 0;
}

PyObject *
sp_tools_find(const struct sp_tools *tools, const uint8_t *name, uint32_t size)
{
    if (tools->count == 0) {
        return NULL;
    }
    return place_of(tools, name, size, hash_of(name, size))->function;
}
