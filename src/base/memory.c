// SPDX-License-Identifier: MIT
// The heap, with a countdown for tests: when it reaches zero, one request fails.
#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64u // bytes of a cache line

static _Atomic long countdown; // 0: off
static atomic_int has_failed;

static bool must_fail(void)
{
    // Nothing is published through these: a test allocates from one thread.
    if (atomic_load_explicit(&countdown, memory_order_relaxed) == 0 ||
        atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed) != 1) {
        return false;
    }
    atomic_store_explicit(&has_failed, 1, memory_order_relaxed);
    return true;
}

void *sp_alloc(size_t bytes)
{
    return sp_alloc_array(1, bytes);
}

void *sp_alloc_array(size_t count, size_t bytes)
{
    size_t total = 0;
    if (must_fail() || __builtin_mul_overflow(count, bytes, &total)) {
        return NULL;
    }
    // A request for nothing still gets an address of its own.
    return calloc(1, total != 0 ? total : 1);
}

void *sp_alloc_lines(size_t bytes)
{
    size_t rounded = (bytes + LINE - 1) / LINE * LINE;
    void *block = must_fail() ? NULL : aligned_alloc(LINE, rounded);
    return block == NULL ? NULL : memset(block, 0, rounded);
}

void *sp_realloc(void *block, size_t bytes)
{
    return must_fail() ? NULL : realloc(block, bytes != 0 ? bytes : 1);
}

char *sp_strdup(const char *text)
{
    return must_fail() ? NULL : strdup(text);
}

void sp_free(void *block)
{
    free(block);
}

void sp_memory_fail_at(long n)
{
    atomic_store_explicit(&has_failed, 0, memory_order_relaxed);
    atomic_store_explicit(&countdown, n, memory_order_relaxed);
}

int sp_memory_has_failed(void)
{
    return atomic_load_explicit(&has_failed, memory_order_relaxed);
}
