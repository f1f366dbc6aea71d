// SPDX-License-Identifier: MIT
// What a loop counts for each of its doors. Its thread alone counts, without a lock;
// whoever asks adds up those of all loops.
#ifndef SERVER_COUNTS_H
#define SERVER_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/waits.h"
#include "telemetry/doors.h"

// Zeroed: nothing yet.
struct sp_door_counts {
    _Atomic uint64_t of[SP_DOOR_COUNTS];
    _Atomic uint64_t statuses[SP_DOOR_STATUSES];
    _Atomic uint64_t codes[SP_DOOR_CODES];
};

static inline void sp_count_more(_Atomic uint64_t *count, uint64_t more)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, now + more, memory_order_relaxed);
}

// All of these: `counts` NULL counts nothing.

static inline void
sp_door_count(struct sp_door_counts *counts, enum sp_door_count what, uint64_t more)
{
    if (counts != NULL) {
        sp_count_more(&counts->of[what], more);
    }
}

// A client that has let it wait too long.
static inline void sp_door_count_late(struct sp_door_counts *counts,
                                      enum sp_wait_for what)
{
    static const enum sp_door_count of[SP_WAITS] = {
        [SP_WAIT_REQUEST] = SP_DOOR_NO_REQUEST,
        [SP_WAIT_HEADER] = SP_DOOR_HEADER_LATE,
        [SP_WAIT_BODY] = SP_DOOR_BODY_LATE,
        [SP_WAIT_CLIENT] = SP_DOOR_UNREAD,
        [SP_WAIT_HANDSHAKE] = SP_DOOR_HANDSHAKE_LATE};
    if (what != SP_WAIT_NOTHING && what != SP_WAIT_END) {
        sp_door_count(counts, of[what], 1);
    }
}

// Of what there is now.
static inline void sp_door_count_less(struct sp_door_counts *counts,
                                      enum sp_door_count what)
{
    sp_door_count(counts, what, UINT64_MAX);
}

static inline void sp_door_count_status(struct sp_door_counts *counts, unsigned status)
{
    if (counts != NULL && status < SP_DOOR_STATUSES) {
        sp_count_more(&counts->statuses[status], 1);
    }
}

static inline void sp_door_count_code(struct sp_door_counts *counts, unsigned code)
{
    if (counts != NULL && code < SP_DOOR_CODES) {
        sp_count_more(&counts->codes[code], 1);
    }
}

// Any thread.
static inline void sp_door_counts_add(const struct sp_door_counts *counts,
                                      struct sp_door_figures *figures)
{
    for (unsigned i = 0; i < SP_DOOR_COUNTS; i++) {
        figures->of[i] += atomic_load_explicit(&counts->of[i], memory_order_relaxed);
    }
    for (unsigned i = 0; i < SP_DOOR_STATUSES; i++) {
        figures->statuses[i] +=
            atomic_load_explicit(&counts->statuses[i], memory_order_relaxed);
    }
    for (unsigned i = 0; i < SP_DOOR_CODES; i++) {
        figures->codes[i] +=
            atomic_load_explicit(&counts->codes[i], memory_order_relaxed);
    }
}

#endif
