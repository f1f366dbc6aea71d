// SPDX-License-Identifier: MIT
// All heap memory of the library goes through here, so that a test can make the nth
// request fail.
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

// Zeroed memory, or NULL. Free with sp_free().
void *sp_alloc(size_t bytes);
// Zeroed memory for `count` items; NULL also when the product overflows.
void *sp_alloc_array(size_t count, size_t bytes);
// Zeroed memory that begins on a cache line of its own.
void *sp_alloc_lines(size_t bytes);
// As realloc(3); on failure the old block stays.
void *sp_realloc(void *block, size_t bytes);
// A copy of a text, or NULL.
char *sp_strdup(const char *text);
void sp_free(void *block);

// For tests: the nth request from now on (1 is the next) fails, once; 0 switches this
// off.
void sp_memory_fail_at(long n);
// For tests: true once the request asked for by sp_memory_fail_at() has failed.
int sp_memory_has_failed(void);

#endif
