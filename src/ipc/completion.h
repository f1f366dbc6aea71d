// SPDX-License-Identifier: MIT
// How a worker says that there is news of a slot: the slot's number goes into the
// completion ring, and the doorbell rings where the queue sleeps that the slot's call
// reports to. Inline, for the extension and the workers of the tests.
#ifndef IPC_COMPLETION_H
#define IPC_COMPLETION_H

#include <stdint.h>
#include <unistd.h>

#include "ipc/control.h"
#include "ipc/ring.h"

// The bit of a queue in the header's `asleep`. Queues may share one: then each is rung
// for the other as well.
static inline uint64_t sp_completion_bit(uint32_t queue)
{
    return UINT64_C(1) << queue % 64;
}

// Worker: the slot has news. At most one entry of each slot is in the ring, see TOLD.
static inline void
sp_completion_put(struct sp_control_view *view, uint32_t slot, int doorbell)
{
    uint64_t bit = sp_completion_bit(view->slots[slot].request.queue);
    uint64_t position =
        atomic_fetch_add_explicit(&view->header->done_tail, 1, memory_order_relaxed);
    sp_ring_put(view->done, view->shape.slots - 1, position, slot);
    // [doorbell:put] the cell before the look at the host; pairs with [doorbell:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    _Atomic uint64_t *asleep = &view->header->asleep;
    if ((atomic_load_explicit(asleep, memory_order_relaxed) & bit) != 0 &&
        (atomic_fetch_and_explicit(asleep, ~bit, memory_order_acq_rel) & bit) != 0) {
        uint64_t one = 1;
        // A full counter is a bell that rings already.
        ssize_t written = write(doorbell, &one, sizeof one);
        (void)written;
    }
}

#endif
