// SPDX-License-Identifier: MIT
// What only the files of this module share: the pool itself, and how a call moves.
//
// clang-format off
// The files call each other downwards, in this order and never up:
//
//     stream                          chunks, and who waits for them
//     admit                           from an order to a slot or a line
//     wait, tick, seats, pool         who looks: a caller, the loop, the control plane
//     executors                       and those who watch
//     check                           the health of a worker
//     question, collect               what a slot says
//     window                          memory of clients that workers have mapped
//     settle                          answers, and calls that are given up
//     attempt                         calls that are run once more
//     lock                            gives free places away, then releases the lock
//     schedule                        which worker gets which call
//     end, conduct                    where every call ends; what workers hold and break
//     affinity, tail, explain, guard  what they are made of; placement.h: where each
//                                     call gets its slot and leaves it
//     loads, seat, line, ties, pending, lane, call, orphan, store, spares, breaker, retry,
//     tools, recent, slow
// clang-format on
#ifndef POOL_INSIDE_H
#define POOL_INSIDE_H

#include <pthread.h>

#include "pool/crowd.h"
#include "pool/lane.h"
#include "pool/line.h"
#include "pool/loads.h"
#include "pool/pending.h"
#include "pool/pool.h"
#include "pool/recent.h"
#include "pool/schedule.h"
#include "pool/slow.h"
#include "pool/ties.h"
#include "pool/times.h"
#include "pool/tools.h"
#include "pool/window.h"

#define SP_SPARES 64u // a power of two

// A place for one call, in a cache line of its own: other threads use the next one.
struct sp_spare {
    _Alignas(64) _Atomic(struct sp_call *) call;
};

#define SP_SPARE_CLOSED ((struct sp_call *)1)

// Guarded by the pool's lock.
struct sp_windows {
    struct sp_window *of[SP_WINDOWS_MAX]; // by their number, less 1
    uint32_t count;
    uint64_t last; // serial
    uint64_t second;
    uint32_t opened; // in that second
};

// A breaker that has opened or closed, for the log.
#define SP_TURNS_MOST 8
struct sp_turn {
    char tool[128];
    enum sp_breaker_turn turn;
};

struct sp_pool {
    char *name;                     // constant
    struct sp_pool_options options; // but for what is atomic, and `index` and `name`,
                                    // guarded by lock
    struct sp_pool_hooks hooks;     // constant
    const struct sp_log *log;       // constant; borrowed until the pool is closed
    struct sp_store store;          // has a lock of its own
    uint32_t process;               // sp_fork_here(): whose it is; constant

    _Atomic uint32_t refs; // the owner and every call that is not in `free_calls`
    // See pool/spares.h. NULL: the place is free; SP_SPARE_CLOSED: for good.
    struct sp_spare spares[SP_SPARES];

    _Alignas(64) pthread_mutex_t lock; // guards all that follows
    enum sp_pool_state state;
    bool removed;         // why it is STOPPING
    const char *profile;  // constant text
    uint32_t workers;     // configured
    uint32_t threads;     // calls that one worker runs at once
    char failure[1024];   // why the last start failed, or why it is FAILED; or empty
    uint64_t alone_since; // no daemon takes its calls, CLOCK_MONOTONIC ns; 0: one does
    bool fails_to_start;  // since that start no worker has come
    struct sp_link free_calls;
    struct sp_link seats;
    struct sp_loads loads;
    struct sp_line line;
    struct sp_ties ties;
    struct sp_link waited_for; // seats that have lines of their own
    struct sp_pending pending; // asynchronous calls and streams that have not ended
    struct sp_link streams;    // of these, the streams that do not report
    struct sp_lane lanes[SP_QUEUES_MOST]; // by the number of the queue
    struct sp_retry retry;
    struct sp_breakers breakers;
    uint64_t heard;      // entries of completion rings
    bool freed;          // a place is free that calls may wait for
    bool tells;          // something is to be told when the lock is released
    uint32_t turned;     // of `turns`
    bool looks_for_held; // the tick does; see pool/held.h
    uint32_t orphans;
    uint32_t placed;       // calls in slots, orphans excluded
    uint32_t results_held; // in memory of workers, by the program
    uint64_t last_call;
    struct sp_traffic traffic;
    uint64_t ran_average;      // ticks that a call takes to run; 0: not known
    _Atomic uint32_t peer_cpu; // where the last asynchronous call ended
    struct sp_pool_counters counters;
    struct sp_times times;
    struct sp_tools tools;
    struct sp_recent recent;
    struct sp_crowd crowd;
    struct sp_slow slow;
    struct sp_windows windows;
    struct sp_turn turns[SP_TURNS_MOST]; // that are not in the log yet
};

// Of the queue that a call reports to.
static inline struct sp_lane *sp_pool_lane(struct sp_pool *pool,
                                           const struct sp_call *call)
{
    return &pool->lanes[call->queue];
}

// ---- The lock (pool/lock.c) ---------------------------------------------------

// What is to be done once the lock is released: bells to ring, callers to wake.
#define SP_AFTER_MOST 8
struct sp_after {
    const struct sp_call *self; // the caller's own call, which needs no wake; or NULL
    struct sp_port *own_port;   // that of `self`, which stays pinned
    uint32_t own_rings;         // calls that were put there
    struct sp_port *ports[SP_AFTER_MOST]; // one reference each
    uint32_t rings[SP_AFTER_MOST];        // calls that were put to each
    struct sp_call *calls[SP_AFTER_MOST];
    uint32_t port_count;
    uint32_t call_count;
    bool woke; // out: a bell woke somebody
};
// Gives places that were freed to the calls that wait, some of which may end instead.
// For sp_pool_unlock(), and for whoever must see those that end.
void sp_pool_fill_freed(struct sp_pool *pool, struct sp_after *after);
// Does so, releases the lock, then does what follows from all that was changed under
// it. Whoever frees a place only says so, in `pool->freed`.
void sp_pool_unlock(struct sp_pool *pool, struct sp_after *after);

// All that follows: lock held.

// ---- Ends (pool/end.c, explain.c) ---------------------------------------------

void sp_pool_end(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
// A worker runs the call, or has answered it: its tool gets a row, unless that answer
// says that there is no such tool. It has a parcel.
void sp_pool_meet_new_tool(struct sp_pool *pool, struct sp_call *call);
static inline void sp_pool_meet_tool(struct sp_pool *pool, struct sp_call *call)
{
    if (call->tool == &pool->tools.other) {
        sp_pool_meet_new_tool(pool, call);
    }
}
// Fills in the fault of a call; where `failure` has no message, one of the pool's. If
// the call was given up, says how it was stopped, and counts that unless its tool still
// runs.
void sp_pool_explain(struct sp_call *call, const struct sp_failure *failure);
void sp_pool_fail_call(struct sp_pool *pool,
                       struct sp_call *call,
                       const struct sp_failure *failure,
                       struct sp_after *after);
// A call is somewhere else now: its waiter must look again.
void sp_pool_moved(struct sp_call *call, struct sp_after *after);
// Takes a call out of its slot, which the worker has no more use for.
void sp_pool_unplace(struct sp_pool *pool, struct sp_call *call);
// Why no call is admitted now; OK: they are.
snakepit_err sp_pool_refuses(const struct sp_pool *pool);
// Whether calls that it has taken go on although it takes no others: it is closed or
// was removed, and has workers.
bool sp_pool_finishes_calls(const struct sp_pool *pool);

// ---- Workers (pool/conduct.c) -------------------------------------------------

// Marks a worker that broke the protocol; the tick has it killed.
void sp_pool_violation(struct sp_pool *pool, struct sp_seat *seat);
// Takes back what the worker's Python has let go.
void sp_pool_take_returns(struct sp_pool *pool, struct sp_seat *seat);
// A worker that takes nothing counts as loaded, so that it is not the first choice for
// the next call. `since`: CLOCK_MONOTONIC ns, or 0: it is not stuck.
void sp_pool_set_stuck(struct sp_pool *pool, struct sp_seat *seat, uint64_t since);
// The seat takes no calls any more: its sessions lose it, and what waits for it alone
// ends (pool/seats.c).
void sp_pool_part_seat(struct sp_pool *pool,
                       struct sp_seat *seat,
                       struct sp_after *after);
// After a slot was taken back: the worker has to pass it on.
void sp_pool_await_skip(struct sp_pool *pool, struct sp_seat *seat);

// ---- Answers and what is given up (pool/settle.c) -----------------------------

void sp_pool_end_with_answer(struct sp_pool *pool,
                             struct sp_call *call,
                             struct sp_after *after);
void sp_pool_fail_for_violation(struct sp_pool *pool,
                                struct sp_call *call,
                                struct sp_after *after);
// Ends a call whose time is up. `stack`, or NULL: where its tool was.
void sp_pool_expire(struct sp_pool *pool,
                    struct sp_call *call,
                    uint64_t now,
                    const char *stack,
                    struct sp_after *after);
// Whether a call whose time is up runs, so that it can be asked where.
bool sp_pool_is_late(const struct sp_pool *pool,
                     const struct sp_call *call,
                     uint64_t now);
// Where a call is, as a text with its zero; empty: it cannot be known. The lock is
// released meanwhile, so the call may be no more afterwards, unless it is the caller's.
void sp_pool_see(struct sp_pool *pool,
                 const struct sp_call *call,
                 struct sp_buf *stack,
                 struct sp_after *after);
// Ends a call that is in a slot; if it runs, the slot becomes an orphan's.
void sp_pool_abandon(struct sp_pool *pool,
                     struct sp_call *call,
                     const struct sp_failure *failure,
                     struct sp_after *after);
// Ends a call that has not ended, wherever it is, with `err`.
void sp_pool_give_up(struct sp_pool *pool,
                     struct sp_call *call,
                     snakepit_err err,
                     struct sp_after *after);
// Notes how long a call runs that is in a slot, and where, as its worker says.
void sp_pool_note_run(struct sp_call *call);
// The worker is done with what was given up: `stop` has ended it.
void sp_pool_release_orphan(struct sp_pool *pool,
                            struct sp_seat *seat,
                            struct sp_orphan *orphan,
                            snakepit_stop stop,
                            bool held);

// ---- What slots say (pool/collect.c) ------------------------------------------

// Somebody has looked at a placed call's slot and found it changed.
void sp_pool_settle(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
// Empties a worker's completion ring.
void sp_pool_collect_seat(struct sp_pool *pool,
                          struct sp_seat *seat,
                          struct sp_after *after);
// Ends a slot that nobody waits for: a call that was taken back or given up.
void sp_pool_reap_slot(struct sp_pool *pool, struct sp_seat *seat, uint32_t slot);

// ---- Waiting (pool/wait.c) ----------------------------------------------------

// Waits for something to happen to a call that has not ended: a move, its end or its
// deadline, which are dealt with, or a chunk. The lock is released meanwhile.
void sp_pool_wait_once(struct sp_pool *pool,
                       struct sp_call *call,
                       struct sp_after *after);

// ---- Streams (pool/admit.c) ---------------------------------------------------

// Begins the call of a stream, which has one; see sp_stream_open().
snakepit_err sp_pool_begin_stream(struct sp_pool *pool,
                                  const struct sp_order *order,
                                  struct sp_stream *stream);

// No lock: drops references of the pool; the last one frees it.
void sp_pool_unref(struct sp_pool *pool, uint32_t refs);

// When its time is up for those who are told: they may be late by the slack.
static inline uint64_t sp_pool_told_deadline(const struct sp_pool *pool,
                                             const struct sp_call *call)
{
    return call->deadline == SP_NEVER
               ? SP_NEVER
               : call->deadline - pool->options.slack_ms * SP_NS_PER_MS;
}

#endif
