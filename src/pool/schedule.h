// SPDX-License-Identifier: MIT
// Which worker gets which call, and when. Nothing else in the pool chooses.
//
// All functions: pool->lock held.
#ifndef POOL_SCHEDULE_H
#define POOL_SCHEDULE_H

struct sp_after;
struct sp_call;
struct sp_failure;
struct sp_pool;

enum sp_placed {
    SP_PLACED,
    SP_NO_ROOM,  // every worker is busy, or there is none
    SP_UNLEASED, // there is room, but Python holds on to the tensors of too many calls
    SP_WAITS,    // its session's worker is busy: it belongs in that worker's own line
    SP_BUSY,     // the same, and it may not wait
    SP_LOST,     // its session's worker is gone
};

// Puts a call that stands in no line onto a seat, if one has room.
enum sp_placed
sp_schedule_place(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
// Why a call that was not placed fails; NULL for one that was placed or has to wait.
const struct sp_failure *sp_schedule_refusal(enum sp_placed placed);
// In a pool that closes, which gets no other worker: those that were given all their
// calls serve on if nobody else does.
void sp_schedule_let_spent_serve(struct sp_pool *pool);
// Places are free: gives them to the calls that wait, and evens out what was handed out
// in advance. For sp_pool_unlock() alone.
void sp_schedule_run(struct sp_pool *pool, struct sp_after *after);

#endif
