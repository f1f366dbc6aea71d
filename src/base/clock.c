// SPDX-License-Identifier: MIT
// How fast the processor's counter runs. Threads that ask at once all measure, and any
// of their results will do.
#include "base/clock.h"

#include <stdatomic.h>

static uint64_t measure(void)
{
    uint64_t start = sp_clock_now();
    uint64_t ticks = sp_clock_ticks();
    uint64_t now = start;
    // Spins rather than sleeps: some counters stop while the processor does.
    while (now - start < SP_NS_PER_MS) {
        now = sp_clock_now();
    }
    ticks = (sp_clock_ticks() - ticks) * SP_NS_PER_US / (now - start);
    return ticks != 0 ? ticks : 1;
}

static _Atomic uint64_t known; // ticks in a microsecond; 0: nobody has asked

uint64_t sp_clock_ticks_per_us(void)
{
    uint64_t ticks = atomic_load_explicit(&known, memory_order_relaxed);
    if (ticks == 0) {
        ticks = measure();
        atomic_store_explicit(&known, ticks, memory_order_relaxed);
    }
    return ticks;
}

void sp_clock_adopt_ticks_per_us(uint64_t ticks)
{
    if (ticks != 0) {
        atomic_store_explicit(&known, ticks, memory_order_relaxed);
    }
}
