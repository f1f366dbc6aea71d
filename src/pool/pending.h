// SPDX-License-Identifier: MIT
// The calls that no thread waits for, submitted ones and streams: found by their id,
// and in the order in which their time runs out. Neither costs more with a hundred
// thousand of them than with ten, and neither needs memory that could be refused: the
// links are in the calls, and a table that cannot grow only becomes slower.
//
// Guarded by the pool's lock. Moments are CLOCK_MONOTONIC ns.
#ifndef POOL_PENDING_H
#define POOL_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_call;

// In a call.
struct sp_pending_links {
    uint64_t due; // when it is to be looked at
    struct sp_call *child;
    struct sp_call *next;     // sibling in the heap
    struct sp_call *previous; // sibling, or the parent of a first child
    struct sp_call *chain;    // the next one in its bucket
};

struct sp_pending {
    struct sp_call *root; // a pairing heap; calls that are never due are not in it
    struct sp_call **buckets;
    struct sp_call *only; // the bucket while there is one
    size_t mask;          // buckets, less one
    size_t count;
};

void sp_pending_init(struct sp_pending *pending);
// It must be empty.
void sp_pending_fini(struct sp_pending *pending);
// The call has an id that no other one has.
void sp_pending_add(struct sp_pending *pending, struct sp_call *call, uint64_t due);
void sp_pending_remove(struct sp_pending *pending, struct sp_call *call);
// NULL: there is none.
struct sp_call *sp_pending_find(struct sp_pending *pending, uint64_t id);
// Changes when a call is to be looked at. SP_NEVER: not at all.
void sp_pending_set_due(struct sp_pending *pending, struct sp_call *call, uint64_t due);
// The call that is due first, if it is due at `now`; NULL.
struct sp_call *sp_pending_due(const struct sp_pending *pending, uint64_t now);

#endif
