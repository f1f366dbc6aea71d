// SPDX-License-Identifier: MIT
// Rings of 32-bit numbers in shared memory. A cell carries the position it was written
// for, so a reader needs nothing but its own position, and a writer nothing of the
// reader's: every ring has at least as many cells as numbers can be under way, so it is
// never full.
#ifndef IPC_RING_H
#define IPC_RING_H

#include <stdbool.h>

#include "ipc/layout.h"

// Positions start at 0 and are stored plus one, in 32 bits: a zeroed ring is empty, and
// a stale cell could only be taken for a fresh one after 2^32 laps of a position that
// stood still.
static inline uint64_t sp_ring_cell(uint64_t position, uint32_t number)
{
    return (position + 1) << 32 | number;
}

// Writes `number` at `position`, which the caller alone has claimed.
static inline void
sp_ring_put(sp_cell *cells, uint32_t mask, uint64_t position, uint32_t number)
{
    // [ring:cell] what the number stands for is visible before it; pairs with
    // [ring:fresh].
    atomic_store_explicit(
        &cells[position & mask], sp_ring_cell(position, number), memory_order_release);
}

// Reads the cell at `position`; false when nothing was put there yet.
static inline bool
sp_ring_peek(sp_cell *cells, uint32_t mask, uint64_t position, uint32_t *number)
{
    // [ring:fresh] pairs with [ring:cell].
    uint64_t cell = atomic_load_explicit(&cells[position & mask], memory_order_acquire);
    if (cell >> 32 != ((position + 1) & UINT32_MAX)) {
        return false;
    }
    *number = (uint32_t)cell;
    return true;
}

// Takes the next number where several threads take: whoever moves the head owns the
// cell.
static inline bool
sp_ring_take(sp_cell *cells, uint32_t mask, _Atomic uint64_t *head, uint32_t *number)
{
    uint64_t position = atomic_load_explicit(head, memory_order_relaxed);
    uint32_t found;
    while (sp_ring_peek(cells, mask, position, &found)) {
        if (atomic_compare_exchange_weak_explicit(head,
                                                  &position,
                                                  position + 1,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            *number = found;
            return true;
        }
    }
    return false;
}

#endif
