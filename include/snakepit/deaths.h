// SPDX-License-Identifier: MIT
// The workers of a pool that have ended last. Any thread.
#ifndef SNAKEPIT_DEATHS_H
#define SNAKEPIT_DEATHS_H

#include <stdbool.h>

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct snakepit_death {
    size_t size;       // of the struct as the program knows it
    uint64_t number;   // of the pool's, from 1 on
    uint64_t worker;   // its id
    int32_t pid;       // that it had
    bool expected;     // it was told to end
    uint64_t ended_ms; // Unix time, in milliseconds
    uint64_t age_ms;   // that it had; from when its process was started
    // One sentence without an end: "killed by signal 11 (SIGSEGV)", "killed by the
    // kernel: out of memory"; of one that made room for a successor why it did.
    char cause[256];
} snakepit_death;

// Fills at most `room` rows, the newest first, and sets `*count` to how many are known,
// at most 64. Set the first row's `size` to sizeof the struct before the call; it
// counts for all rows. `pool` NULL: the default pool. `rows` may be NULL if `room` is
// 0. UNKNOWN_POOL, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_pool_deaths(
    snakepit *pit, const char *pool, snakepit_death *rows, size_t room, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
