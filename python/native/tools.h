// SPDX-License-Identifier: MIT
// Names of tools to callables. Filled before the worker is ready, only read afterwards,
// so that executors look up without a lock and without making a Python string.
#ifndef NATIVE_TOOLS_H
#define NATIVE_TOOLS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

// How many calls a tool takes at once; then its function gets a list of their arguments
// and gives a list of their results.
struct sp_batch_terms {
    uint32_t most;    // 0: it takes one call
    uint32_t wait_us; // that a call may wait for others
};

struct sp_tool {
    char *name; // NULL: a free place
    uint32_t size;
    uint32_t hash;
    PyObject *function;
    bool is_bare; // `function` is a class's, and no instance was built yet
    struct sp_batch_terms batch;
};

// Open addressing; `room` is a power of two, at least twice `count`. Zero-initialised
// is empty.
struct sp_tools {
    struct sp_tool *places;
    uint32_t room;
    uint32_t count;
    uint32_t widest; // the most calls that one of them takes at once; 0: all take one
};

// Adds or replaces. `function` gets a reference. -1 with an exception: ValueError for a
// name that is empty or over SP_TOOL_NAME_MAX bytes, MemoryError.
int sp_tools_put(struct sp_tools *tools,
                 const char *name,
                 Py_ssize_t size,
                 PyObject *function);
// Has the tool of that name, which is there, take many calls at once.
void sp_tools_set_batch(struct sp_tools *tools,
                        const char *name,
                        uint32_t size,
                        const struct sp_batch_terms *terms);
// Has the tool of that name wait for an instance, see sp_tools_bind().
void sp_tools_set_bare(struct sp_tools *tools, const char *name, uint32_t size);
// Makes methods of `instance` of all functions that wait for one. -1 with an exception.
int sp_tools_bind(struct sp_tools *tools, PyObject *instance);
// Forgets all of them.
void sp_tools_clear(struct sp_tools *tools);
// Whether a tool has that name.
static inline bool
sp_tool_is(const struct sp_tool *tool, const uint8_t *name, uint32_t size)
{
    return tool->size == size && sp_bytes_equal(tool->name, name, size);
}
// NULL when there is none of that name.
const struct sp_tool *
sp_tools_find(const struct sp_tools *tools, const uint8_t *name, uint32_t size);

// The tool whose name is a slip or two of the finger away from `name`; NULL if none is.
const struct sp_tool *
sp_tools_nearest(const struct sp_tools *tools, const uint8_t *name, uint32_t size);

#endif
