// SPDX-License-Identifier: MIT
// Sessions and workers: a call that names a session goes to the worker that the session
// is tied to, as the pool's `affinity` says.
//
//   hint              there if an executor is free, elsewhere otherwise; the tie stays
//                     until the worker is gone, then it follows the next call
//   strict_queue      there and nowhere else; the call waits in that worker's own line,
//                     and does not hold up those behind it
//   strict_fail_fast  there and nowhere else; WORKER_BUSY at once if it is busy
//
// A session is tied when its first call is given to a worker. In the strict modes it is
// told once when that worker has gone: its calls that the worker had fail; if there
// were none, the next one fails with SESSION_LOST. After that it is tied anew.
//
// All functions: pool->lock held.
#ifndef POOL_AFFINITY_H
#define POOL_AFFINITY_H

#include "pool/inside.h"

// Finds the tie of a call that names a session. SESSION_LOST, NO_MEMORY, with the fault
// set.
snakepit_err sp_affinity_join(struct sp_pool *pool, struct sp_call *call);
// Whether a new call has to wait behind others.
bool sp_affinity_must_wait(const struct sp_pool *pool, const struct sp_call *call);
// Puts a call into its line: its worker's own, or that of the pool. Also beyond the
// limit.
void sp_affinity_wait(struct sp_pool *pool, struct sp_call *call);
// Whether the pool's sessions insist on their workers.
bool sp_affinity_is_strict(const struct sp_pool *pool);
// Whether the session's worker is gone and this was not reported yet; it is now.
bool sp_affinity_take_loss(const struct sp_pool *pool, struct sp_tie *tie);
// A call with a tie was given to a seat.
void sp_affinity_placed(struct sp_call *call, struct sp_seat *seat);
// Whether the call, which is placed, may run on no other seat.
bool sp_affinity_binds(const struct sp_pool *pool, const struct sp_call *call);
// A call with a tie has ended.
void sp_affinity_end(struct sp_pool *pool, struct sp_call *call);
// A seat takes no calls any more: its sessions lose it.
void sp_affinity_part(const struct sp_pool *pool, struct sp_seat *seat);
// The first call that waits, in whatever line; NULL.
struct sp_call *sp_affinity_first_waiting(const struct sp_pool *pool);

#endif
