// SPDX-License-Identifier: MIT
// Where a thread runs, for those who wait for it in another process: one that is on the
// same core does nothing while they spin.
#ifndef IPC_CPU_H
#define IPC_CPU_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Host or worker: notes where the calling thread runs, for the other side's waits.
static inline void sp_wait_note_cpu(_Atomic uint32_t *cpu)
{
    const uint32_t here = (uint32_t)sched_getcpu();
    // Only a change is written: the other side reads this line all the time.
    if (atomic_load_explicit(cpu, memory_order_relaxed) != here) {
        atomic_store_explicit(cpu, here, memory_order_relaxed);
    }
}

// Whether the other side last ran on another core than the calling thread.
static inline bool sp_wait_is_elsewhere(const _Atomic uint32_t *cpu)
{
    return atomic_load_explicit(cpu, memory_order_relaxed) != (uint32_t)sched_getcpu();
}

#endif
