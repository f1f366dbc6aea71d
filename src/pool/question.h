// SPDX-License-Identifier: MIT
// What a running call asks its host: from its slot to whoever knows the answer, and
// back. Whoever waits for the call runs the host's tool, without the pool's lock: a
// synchronous caller on its own thread, for a submitted call the thread that drains its
// queue, or a second thread of the library. See docs/decisions/0009.
#ifndef POOL_QUESTION_H
#define POOL_QUESTION_H

#include "pool/pool.h"

struct sp_after; // pool/inside.h

#define SP_QUESTIONS_NESTED 16u // nested questions on one thread

// One question, on its way through sp_pool_hooks.question. Borrowed, all of it.
struct sp_question {
    const char *pool; // its name
    uint64_t call;
    uint64_t worker;
    uint64_t deadline;       // of the call: CLOCK_MONOTONIC ns or SP_NEVER
    struct sp_slice session; // of the call; empty: none
    // Of the call, and then of the span that its tool runs in; all zero: it has none.
    struct sp_trace_context trace;
    struct sp_slice tracestate; // with it
    struct sp_slice body;    // [name, arguments], out of the worker's reach, unchecked
    struct sp_slice memory;  // where its tensors lie
    snakepit_writer *result; // empty; gets one value
    snakepit_message why;    // gets the reason of an error
    bool relays;             // where nobody here answers: AGAIN, and somebody else does
    const char *type;        // gets what Python raises, a constant; NULL: by the error
};

// A placed call has been found ASKING: its question is served, and it goes on. Lock
// held, but released meanwhile, so the call may have moved or ended afterwards. For any
// thread that waits for the call.
void sp_pool_serve_question(struct sp_pool *pool,
                            struct sp_call *call,
                            struct sp_after *after);

// A call that reports has been found ASKING in the completion ring. Lock held.
void sp_pool_note_question(struct sp_pool *pool, struct sp_call *call);
// Nobody waits any more for the call in a slot that asks. Lock held.
void sp_pool_leave_question(struct sp_pool *pool, struct sp_seat *seat, uint32_t slot);
// Serves the questions of the calls that report to a queue, some at a time; how many.
// One thread at a time for each queue.
size_t sp_pool_serve_questions(struct sp_pool *pool, uint32_t queue);

// ---- Calls from within a host's tool ------------------------------------------

// Whether the calling thread runs a tool for a call of any pool.
bool sp_question_is_open(void);
// The trace that this tool runs in, and its `state`; NULL: none, and that is as it was.
const struct sp_trace_context *sp_question_trace(struct sp_slice *state);
// A call that the calling thread makes from within a tool ends with the call that
// asked.
void sp_question_limit(struct sp_call *call);
// A synchronous call to the pool whose call asks the calling thread is run by the
// executor that asks, so that it waits for nobody. Lock held. NOT_FOUND: there is none,
// or it could not run the call, or this is submitted or a stream; it waits like any
// other. SATURATED, NO_MEMORY: failed, explained in the call.
snakepit_err sp_question_place(struct sp_pool *pool, struct sp_call *call);
// Such a call has ended: returns when the executor is back at its question. Lock held,
// but released meanwhile.
void sp_question_resume(struct sp_pool *pool, struct sp_after *after);

#endif
