// SPDX-License-Identifier: MIT
// A call that may be run again after an attempt that has failed: it leaves its worker,
// waits, and stands in the line once more. It has one answer all the same. Lock held.
#ifndef POOL_ATTEMPT_H
#define POOL_ATTEMPT_H

#include "pool/inside.h"

// An attempt in a slot of `seat` has failed with `err`. Whether another one is to
// follow, for which the call is to be taken out of its slot and given to
// sp_attempt_delay(). To be asked while the call is in the slot, and once.
bool sp_attempt_may_follow(struct sp_pool *pool,
                           struct sp_call *call,
                           const struct sp_seat *seat,
                           snakepit_err err);
void sp_attempt_delay(struct sp_pool *pool, struct sp_call *call, snakepit_err err);
// Its pause is over: it is in the line again, or in a worker.
void sp_attempt_resume(struct sp_pool *pool,
                       struct sp_call *call,
                       uint64_t now,
                       struct sp_after *after);

#endif
