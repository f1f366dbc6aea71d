// SPDX-License-Identifier: MIT
// The futex calls that we use, on words that two processes share.
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

// Sleeps while *word is `value`, until woken or until `deadline` (CLOCK_MONOTONIC ns,
// SP_NEVER for none). `names` are those under which sp_futex_wake_named() finds this
// sleeper, not 0. 0, or -1 with errno EAGAIN, EINTR or ETIMEDOUT.
static inline int sp_futex_wait_named(_Atomic uint32_t *word,
                                      uint32_t value,
                                      uint64_t deadline,
                                      uint32_t names)
{
    struct timespec at = {.tv_sec = (time_t)(deadline / SP_NS_PER_S),
                          .tv_nsec = (long)(deadline % SP_NS_PER_S)};
    return (int)syscall(SYS_futex,
                        word,
                        FUTEX_WAIT_BITSET,
                        value,
                        deadline == SP_NEVER ? NULL : &at,
                        NULL,
                        names);
}

static inline int
sp_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline)
{
    return sp_futex_wait_named(word, value, deadline, FUTEX_BITSET_MATCH_ANY);
}

// Wakes at most `count` sleepers; returns how many.
static inline int sp_futex_wake(_Atomic uint32_t *word, int count)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

// The same of those that sleep under one of these names.
static inline int sp_futex_wake_named(_Atomic uint32_t *word, int count, uint32_t names)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAKE_BITSET, count, NULL, NULL, names);
}

#endif
