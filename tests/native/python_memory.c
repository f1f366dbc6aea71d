// SPDX-License-Identifier: MIT
#include "python_memory.h"

#include <stdatomic.h>
#include <stdbool.h>

// Of the domains that objects and their tables come from. Zero: none fails.
static PyMemAllocatorEx own[2];
static _Atomic long to_failure;

static bool is_refused(void)
{
    return atomic_load(&to_failure) > 0 && atomic_fetch_sub(&to_failure, 1) == 1;
}

static void *allocate(void *domain, size_t size)
{
    const PyMemAllocatorEx *real = domain;
    return is_refused() ? NULL : real->malloc(real->ctx, size);
}

static void *allocate_zeroed(void *domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *real = domain;
    return is_refused() ? NULL : real->calloc(real->ctx, count, size);
}

static void *reallocate(void *domain, void *block, size_t size)
{
    const PyMemAllocatorEx *real = domain;
    return is_refused() ? NULL : real->realloc(real->ctx, block, size);
}

static void give_back(void *domain, void *block)
{
    const PyMemAllocatorEx *real = domain;
    real->free(real->ctx, block);
}

PyObject *fail_python_at(PyObject *module, PyObject *args)
{
    static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_OBJ, PYMEM_DOMAIN_MEM};
    (void)module;
    long n;
    if (!PyArg_ParseTuple(args, "l", &n)) {
        return NULL;
    }
    for (size_t i = 0; own[i].malloc == NULL && i < Py_ARRAY_LENGTH(domains); i++) {
        PyMem_GetAllocator(domains[i], &own[i]);
        PyMemAllocatorEx ours = {
            &own[i], allocate, allocate_zeroed, reallocate, give_back};
        PyMem_SetAllocator(domains[i], &ours);
    }
    bool has_failed = atomic_exchange(&to_failure, n) == 0;
    return PyBool_FromLong(has_failed);
}
