// SPDX-License-Identifier: MIT
// What is free in a process that has imported much is free in many places: a piece in
// this page, one in that, and each is on a list that goes through others. A worker that
// is given such a piece has a copy made of its page, and of its neighbours', and that
// costs more than most of what it does. So a template takes what is scattered, once,
// and keeps it. Workers are given what comes next, which lies in one place.
#include "template.h"

#include <stdint.h>
#include <stdlib.h>

#include "crash.h"
#include "forks.h"

#define STEP       16u  // from one size to the next, in both heaps
#define SIZE_MOST  512u // of the sizes that starts ask for most
#define LARGE_MOST 16384u
#define IN_A_ROW   3u
#define BYTES_MOST (1u << 20) // of one size

typedef void *allocate(size_t size);

// Takes pieces until they come one behind the other: each is `bytes` long with what the
// heap has in front of it.
static void take_scattered(allocate *give, size_t size, size_t bytes)
{
    uintptr_t next = 0;
    uint32_t row = 0;
    for (size_t taken = 0; taken < BYTES_MOST && row < IN_A_ROW; taken += bytes) {
        uintptr_t piece = (uintptr_t)give(size);
        row = piece == next ? row + 1 : 0;
        next = piece + bytes;
    }
}

// ---- The C library's ----------------------------------------------------------

#if defined(__GLIBC__)

#define HEAD 8u // of a piece

// The large ones first, or what is left of them would be scattered.
static void settle_heap(void)
{
    for (size_t bytes = LARGE_MOST; bytes > SIZE_MOST; bytes /= 2) {
        take_scattered(malloc, bytes - HEAD, bytes);
    }
    for (size_t bytes = SIZE_MOST; bytes > STEP; bytes -= STEP) {
        take_scattered(malloc, bytes - HEAD, bytes);
    }
}

#else

static void settle_heap(void)
{
}

#endif

// ---- The interpreter's --------------------------------------------------------

#ifndef Py_GIL_DISABLED // whose pieces have sizes that it alone knows

// Whether it has one of its own.
static bool has_objects_apart(void)
{
    PyMemAllocatorEx raw;
    PyMemAllocatorEx objects;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &objects);
    return raw.malloc != objects.malloc;
}

static void settle_objects(void)
{
    for (size_t size = SIZE_MOST; size > 0 && has_objects_apart(); size -= STEP) {
        take_scattered(PyObject_Malloc, size, size);
    }
}

#else

static void settle_objects(void)
{
}

#endif

// ---- The linker's -------------------------------------------------------------

// A library's function is looked up when it is called for the first time, in many
// tables. Each new worker calls this one.
static void look_up(void)
{
    Py_tss_t key = Py_tss_NEEDS_INIT;
    if (PyThread_tss_create(&key) == 0) {
        PyThread_tss_delete(&key);
    }
}

PyObject *sp_template_settle(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    sp_crash_prepare();
    (void)sp_forks_watch(); // each worker that does not have it tries again
    look_up();
    settle_objects();
    settle_heap();
    Py_RETURN_NONE;
}
