// SPDX-License-Identifier: MIT
// A hash table with linear probing; FNV-1a, for names are short. And what to suggest
// for a name that is not in it.
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
        if (place->name == NULL ||
            (place->hash == hash && sp_tool_is(place, name, size))) {
            return place;
        }
    }
}

static int grow(struct sp_tools *tools)
{
    struct sp_tools grown = {.room = tools->room == 0 ? 16 : tools->room * 2,
                             .count = tools->count,
                             .widest = tools->widest};
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
        *place = (struct sp_tool){.name = copy, .size = (uint32_t)size, .hash = hash};
        tools->count++;
    }
    place->batch = (struct sp_batch_terms){0};
    place->is_bare = false;
    PyObject *old = place->function;
    Py_INCREF(function);
    place->function = function;
    Py_XDECREF(old);
    return 0;
}

void sp_tools_set_batch(struct sp_tools *tools,
                        const char *name,
                        uint32_t size,
                        const struct sp_batch_terms *terms)
{
    const uint8_t *bytes = (const uint8_t *)name;
    place_of(tools, bytes, size, hash_of(bytes, size))->batch = *terms;
    tools->widest = terms->most > tools->widest ? terms->most : tools->widest;
}

void sp_tools_set_bare(struct sp_tools *tools, const char *name, uint32_t size)
{
    const uint8_t *bytes = (const uint8_t *)name;
    place_of(tools, bytes, size, hash_of(bytes, size))->is_bare = true;
}

int sp_tools_bind(struct sp_tools *tools, PyObject *instance)
{
    for (uint32_t i = 0; i < tools->room; i++) {
        struct sp_tool *place = &tools->places[i];
        if (place->name == NULL || !place->is_bare) {
            continue;
        }
        PyObject *method = PyMethod_New(place->function, instance);
        if (method == NULL) {
            return -1;
        }
        Py_SETREF(place->function, method);
        place->is_bare = false;
    }
    return 0;
}

void sp_tools_clear(struct sp_tools *tools)
{
    for (uint32_t i = 0; i < tools->room; i++) {
        free(tools->places[i].name);
        Py_XDECREF(tools->places[i].function);
    }
    free(tools->places);
    *tools = (struct sp_tools){0};
}

const struct sp_tool *
sp_tools_find(const struct sp_tools *tools, const uint8_t *name, uint32_t size)
{
    if (tools->count == 0) {
        return NULL;
    }
    const struct sp_tool *place = place_of(tools, name, size, hash_of(name, size));
    return place->name == NULL ? NULL : place;
}

// ---- The nearest name ---------------------------------------------------------

#define NEAREST_MAX 64u // bytes; longer names are not compared

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// One cell of the table that distance() fills: `i` bytes of `a`, `j` of `b`. `rows` are
// the row itself and the two above it.
static uint32_t
cell(const uint8_t *a, const uint8_t *b, uint32_t i, uint32_t j, uint32_t *const rows[])
{
    uint32_t value = least(rows[1][j - 1] + (a[i - 1] != b[j - 1]),
                           least(rows[1][j], rows[0][j - 1]) + 1);
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        value = least(value, rows[2][j - 2] + 1);
    }
    return value;
}

// How many bytes must be inserted, removed, replaced or swapped with their neighbour.
// Both sizes are at most NEAREST_MAX.
static uint32_t
distance(const uint8_t *a, uint32_t a_size, const uint8_t *b, uint32_t b_size)
{
    uint32_t room[3][NEAREST_MAX + 1] = {{0}};
    uint32_t *rows[] = {room[0], room[1], room[2]};
    for (uint32_t j = 0; j <= b_size; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t *oldest = rows[2];
        rows[2] = rows[1];
        rows[1] = rows[0];
        rows[0] = oldest;
        rows[0][0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            rows[0][j] = cell(a, b, i, j, rows);
        }
    }
    return rows[0][b_size];
}

// Two slips in a name of four letters would make it any name.
static uint32_t slips_allowed(uint32_t size)
{
    return size < 3 ? 0 : size < 6 ? 1 : 2;
}

const struct sp_tool *
sp_tools_nearest(const struct sp_tools *tools, const uint8_t *name, uint32_t size)
{
    const struct sp_tool *nearest = NULL;
    uint32_t best = slips_allowed(size) + 1;
    for (uint32_t i = 0; i < tools->room && size <= NEAREST_MAX; i++) {
        const struct sp_tool *tool = &tools->places[i];
        if (tool->name == NULL || tool->size > NEAREST_MAX) {
            continue;
        }
        uint32_t found = distance(name, size, (const uint8_t *)tool->name, tool->size);
        if (found < best ||
            (nearest != NULL && found == best && tool->size < nearest->size)) {
            best = found;
            nearest = tool;
        }
    }
    return nearest;
}
