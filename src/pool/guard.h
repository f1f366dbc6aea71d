// SPDX-License-Identifier: MIT
// What the breakers (pool/breaker.h) have to do with calls: who goes ahead, and what
// the end of an attempt says of its tool. Lock held.
#ifndef POOL_GUARD_H
#define POOL_GUARD_H

#include "pool/inside.h"

// Whether a call of a tool must not go ahead; its fault then says BREAKER_OPEN, from
// sp_pool_explain() on. One that goes ahead may be its breaker's probe.
bool sp_guard_holds(struct sp_pool *pool, struct sp_call *call);
// The same; while all breakers are closed this is all that a call has to do with them.
static inline bool sp_guard_refuses(struct sp_pool *pool, struct sp_call *call)
{
    return pool->breakers.tripped > 0 && !call->probe && sp_guard_holds(pool, call);
}

// An attempt has ended, with `err`. `ran`: its time was up while it ran. For a call
// that has its parcel still.
void sp_guard_note(struct sp_pool *pool,
                   struct sp_call *call,
                   snakepit_err err,
                   bool ran);
// The call has ended; what was given up while it ran was noted then.
void sp_guard_note_end(struct sp_pool *pool, struct sp_call *call);
static inline void sp_guard_end(struct sp_pool *pool, struct sp_call *call)
{
    if (pool->options.breaker.failures > 0) {
        sp_guard_note_end(pool, call);
    } else {
        call->probe = false; // of a breaker that a reload has taken away
    }
}
// Releases the lock, then tells of breakers that have turned and of a crowd.
void sp_guard_unlock_and_log(struct sp_pool *pool);
// Whether an attempt that has ended with `err` will open the breaker of its tool.
bool sp_guard_is_near(struct sp_pool *pool,
                      const struct sp_call *call,
                      snakepit_err err,
                      uint64_t now);

#endif
