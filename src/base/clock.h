// SPDX-License-Identifier: MIT
// Time. Nanoseconds of CLOCK_MONOTONIC for deadlines; processor ticks for waits so
// short that reading the clock would be a part of them.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SP_NS_PER_US UINT64_C(1000)
#define SP_NS_PER_MS UINT64_C(1000000)
#define SP_NS_PER_S  UINT64_C(1000000000)
// A deadline that never comes.
#define SP_NEVER UINT64_MAX

static inline uint64_t sp_clock_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SP_NS_PER_S + (uint64_t)now.tv_nsec;
}

// The same, up to one tick of the kernel (1 to 10 ms) in the past, at a third of the
// price.
static inline uint64_t sp_clock_coarse(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * SP_NS_PER_S + (uint64_t)now.tv_nsec;
}

// What this thread has computed so far, in nanoseconds; others on its core do not
// count. A system call.
static inline uint64_t sp_clock_thread(void)
{
    struct timespec spent;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * SP_NS_PER_S + (uint64_t)spent.tv_nsec;
}

// A counter that rises steadily and costs a few nanoseconds to read. Its unit is the
// processor's.
static inline uint64_t sp_clock_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return sp_clock_now();
#endif
}

// Ticks in a microsecond, measured once on first use (this takes up to two
// milliseconds). At least 1. Any thread.
uint64_t sp_clock_ticks_per_us(void);
// Takes over what another process of this machine has measured, unless it is 0.
void sp_clock_adopt_ticks_per_us(uint64_t ticks);

// A polite turn of a spinning loop.
static inline void sp_clock_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
