// SPDX-License-Identifier: MIT
// One call, from its submission until its answer is freed. It is what the public API
// calls an answer: the same object, so that a call allocates nothing while it is warm.
#ifndef POOL_CALL_H
#define POOL_CALL_H

#include <stdatomic.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/slice.h"
#include "ipc/layout.h"
#include "pool/deferred.h"
#include "pool/pending.h"
#include "pool/store.h"
#include "port/port.h"

#define SP_CALL_MAGIC 0x6c6c6163u

// The low bits of a call's id are the place of its pool in the pit, the others are its
// number in that pool.
#define SP_CALL_ID_POOL_BITS 12u
#define SP_CALL_ID_POOL_MASK ((UINT64_C(1) << SP_CALL_ID_POOL_BITS) - 1)

static inline uint64_t sp_call_id(uint64_t number, uint32_t pool)
{
    return number << SP_CALL_ID_POOL_BITS | pool;
}
static inline uint64_t sp_call_id_number(uint64_t id)
{
    return id >> SP_CALL_ID_POOL_BITS;
}
static inline uint32_t sp_call_id_pool(uint64_t id)
{
    return (uint32_t)(id & SP_CALL_ID_POOL_MASK);
}

// A call of a higher priority stands where it would stand if it had come so many calls
// earlier. So nobody waits for ever for those who are more urgent.
#define SP_CALLS_A_PRIORITY 1000u

static inline uint64_t sp_call_rank(uint64_t number, uint32_t priority)
{
    return number + (uint64_t)(SNAKEPIT_MAX_PRIORITY - priority) * SP_CALLS_A_PRIORITY;
}

// The executor of a call that none has run, or it is not known which.
#define SP_EXECUTOR_NONE UINT16_MAX

struct sp_call_trace; // pool/trace.h
struct sp_orphan;     // pool/orphan.h
struct sp_pool;
struct sp_seat;
struct sp_stream;
struct sp_tie;
struct sp_tool;

enum sp_call_phase {
    SP_CALL_NEW,     // being filled in by its caller
    SP_CALL_IN_LINE, // waits for a worker
    SP_CALL_PLACED,  // in a slot of a worker
    SP_CALL_ENDED,   // has its answer
};

// Receives the end of an asynchronous call, see snakepit_done_fn.
typedef void sp_call_done_fn(void *user, snakepit_err err, snakepit_answer *answer);

// Where a call is while it is PLACED; see pool/placement.h.
struct sp_placement {
    struct sp_link link;  // in seat->calls, oldest first
    struct sp_seat *seat; // NULL: it is not placed
    uint32_t slot;
    uint32_t lease; // number in seat->leases, or SP_NO_LEASE
    bool served;    // by an executor that asks, in the middle of its call
};

// What a call asks its host; see pool/question.h.
struct sp_inquiry {
    struct sp_link link; // in lane->questions
    bool serving;        // a thread works for it
    bool again;          // another question was announced meanwhile
    // Owner: whoever serves.
    struct sp_buf body;
    struct snakepit_writer *reply; // NULL: it has never asked
};

// Guarded by pool->lock until it has ended; then it is the caller's alone.
struct sp_call {
    uint32_t magic;
    enum sp_call_phase phase;
    uint32_t process; // sp_fork_here(): whose it is
    struct sp_pool *pool;
    struct sp_link link; // in the pool's free list, line, or list of ended calls
    struct sp_pending_links pending; // while it is asynchronous or a stream's
    struct sp_link stream_link; // in pool->streams or, if it reports, lane->readable
    struct sp_stream *stream;   // whose call it is; NULL: the answer is all there is
    uint64_t id;                // never reused in a pit
    uint64_t rank;              // in the line: see sp_call_rank()
    uint64_t deadline;          // CLOCK_MONOTONIC ns or SP_NEVER
    uint64_t line_deadline;     // the same, for its time in the line
    uint64_t lined_at;     // sp_clock_ticks() since which it waits for a worker; or 0
    uint64_t waited_ticks; // that it has waited before; in the same unit
    uint64_t handed_at;    // when its worker got it, nearly; 0: that is not known
    uint64_t ran_ticks;    // that its tool has run, as far as that is known
    uint64_t retry_at; // while it waits for its next attempt: when that may begin; or 0
    _Atomic uint32_t moves; // futex: counts changes of place that the waiter must see
    uint32_t retries;       // attempts that have failed, and one more followed each
    uint32_t priority;
    uint32_t retry_after_ms;      // of BREAKER_OPEN
    const struct sp_slot *likely; // where it was last, if no other call ran; or NULL
    bool asynchronous;
    bool checks;           // of a seat, which it belongs to; see pool/check.c
    bool reports;          // to its queue: it is asynchronous, or a stream that does
    uint8_t queue;         // the number of that; see pool/lane.h
    bool idempotent;       // its caller says so
    bool probe;            // its end decides about the breaker of its tool
    uint16_t executor;     // that has run it, or SP_EXECUTOR_NONE
    sp_call_done_fn *done; // asynchronous only
    void *user;
    sp_call_asks_fn *asks; // NULL: the pool's hook answers
    void *asks_user;
    struct sp_tool *tool;        // its row, once it was admitted; see pool/tools.h
    struct sp_call_trace *trace; // NULL: it is not traced; see pool/trace.h
    struct sp_tie *tie;          // of its session, until it has ended; or NULL
    struct sp_parcel *parcel;    // NULL once the worker has no more use for it
    const struct sp_parcel *left_parcel; // while it is given up: that it had; or NULL
    struct sp_orphan *orphan; // of one that was given up while it ran; one reference
    struct sp_placement placement;
    struct sp_inquiry inquiry;

    // The answer.
    snakepit_err err;
    struct sp_slice body;  // of the result: in `room`, in `large`, or empty
    struct sp_port *port;  // one reference while the answer has tensors in its results
    uint32_t result_lease; // to return with the answer
    uint8_t room[SP_INLINE_RESULT];
    struct sp_buf large;
    struct sp_buf json;  // made by snakepit_answer_json()
    struct sp_buf texts; // of the fault
    snakepit_fault fault;
};

// NO_MEMORY.
struct sp_call *sp_call_new(struct sp_pool *pool);
void sp_call_free(struct sp_call *call);
// Makes an ended call new again; keeps its buffers unless they have grown large.
void sp_call_reset(struct sp_call *call);

// Whether no thread waits for the call, so that the pool finds it by its id and watches
// its time: it is submitted, or a stream's.
static inline bool sp_call_is_pending(const struct sp_call *call)
{
    return call->asynchronous || call->stream != NULL;
}
// When it is to be looked at where it is now: its time is up, or its pause is over.
static inline uint64_t sp_call_due(const struct sp_call *call)
{
    if (call->phase != SP_CALL_IN_LINE) {
        return call->deadline;
    }
    return call->retry_at != 0 ? call->retry_at : call->line_deadline;
}
// How long it has waited for a worker, in sp_clock_ticks().
static inline uint64_t sp_call_waited(const struct sp_call *call)
{
    return call->waited_ticks +
           (call->lined_at != 0 ? sp_clock_ticks() - call->lined_at : 0);
}
// When a time that begins at `now` is up; 0: never.
static inline uint64_t sp_call_until(uint64_t now, uint32_t timeout_ms)
{
    return timeout_ms == 0 ? SP_NEVER : now + timeout_ms * SP_NS_PER_MS;
}
// The call as its worker reads it; it has a parcel.
void sp_call_describe(const struct sp_call *call, struct sp_slot_request *request);

// What is known when a call fails. NULL texts become "".
struct sp_failure {
    snakepit_err err;
    const char *message; // NULL: the error's text
    const char *type;
    const char *traceback;
    const char *stage;
    const char *cause;
    const char *last_output;
    const char *arguments;
    const char *crash_stack;
    const char *late_stack;
    uint64_t worker;
    // Of a call that was given up; see snakepit_fault. The pool fills these in.
    snakepit_stop stop;
    bool tool_runs;
    uint32_t late_ms;
};

// The error in the fault that a tool's call has ended with, as far as its first bytes
// tell; else TOOL_FAILED. They may still be the worker's. `relayed`: it may be any.
snakepit_err sp_call_fault_err(struct sp_slice body, bool relayed);
// Fills in the fault; without memory for its texts it keeps the error and loses them.
void sp_call_set_failure(struct sp_call *call, const struct sp_failure *failure);
// An answer that failed before it was a call of any pool. NULL: NO_MEMORY.
struct sp_call *sp_call_failed(const struct sp_failure *failure);

// Whether this process has made it: only then may its pool, its worker's memory and
// their locks be touched.
bool sp_call_is_here(const struct sp_call *call);
// Whether an ended call holds nothing but itself: neither memory of a worker's nor
// shared memory for its arguments. Its release passes no place where a thread can be
// cancelled.
bool sp_call_is_light(const struct sp_call *call);
// The answer as the public type, and back, checked.
snakepit_answer *sp_call_answer(struct sp_call *call);
struct sp_call *sp_call_of(const snakepit_answer *answer);

#endif
