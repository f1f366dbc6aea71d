// SPDX-License-Identifier: MIT
// The calls of a pool: those that wait or run, and those that have ended last. Any
// thread.
#ifndef SNAKEPIT_CALLS_H
#define SNAKEPIT_CALLS_H

#include <stdbool.h>

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// A call that waits or runs. Borrowed for the callback, with all that it points to.
typedef struct snakepit_call_info {
    size_t size; // of the struct as the library knows it
    snakepit_call_id call;
    const char *pool;
    const char *tool;
    const char *session; // empty: it names none
    // "line": it waits for a worker. "worker": one has it, and has not begun it.
    // "running". "stopping": it was given up, and its tool still runs.
    const char *state;
    uint64_t worker;   // 0: none
    int32_t executor;  // which of the worker's threads runs it; -1: none, or it is not
                       // known
    uint64_t since_us; // how long it has been in this state, in microseconds; 0: that
                       // is not known
    int64_t left_ms;   // until its deadline, in milliseconds; -1: it has none
    uint32_t attempt;  // 1, or more where it is run again
    uint32_t priority;
    bool streams; // its tool hands over chunks
} snakepit_call_info;

typedef void snakepit_call_fn(void *user, const snakepit_call_info *call);

// Gives `take` the calls of a pool: those that workers have, then those in line, each
// list in its order; at most `most`, and 4096 in any case. `take` runs on the calling
// thread before this returns, and may call the library. `pool` NULL: the default pool.
// Health checks are none of them. UNKNOWN_POOL, INVALID_ARGUMENT, NO_MEMORY.
SNAKEPIT_API snakepit_err snakepit_calls(
    snakepit *pit, const char *pool, size_t most, snakepit_call_fn *take, void *user);

// A call that has ended. Borrowed for the callback, with all that it points to. Texts
// are cut where they are long: the tool's name after 48 bytes, the session's so that
// both have 72 together.
typedef struct snakepit_ended_call {
    size_t size;           // of the struct as the library knows it
    snakepit_call_id call; // 0: it was refused before it had a number
    const char *pool;
    const char *tool;
    const char *session;
    snakepit_err err;
    uint64_t worker;    // that had it last; 0: none
    int32_t executor;   // which of its threads has run it; -1: none, or it is not known
    uint64_t ended_us;  // CLOCK_REALTIME, in microseconds
    uint64_t waited_us; // for a worker
    uint64_t ran_us;    // its tool, at its last attempt; 0: it did not, or that is not
                        // known
    uint32_t attempts;
    const char *error; // "ValueError: no such order"; empty: the error of its number
    const char *traceback; // of Python, its last 639 bytes; empty: there is none
} snakepit_ended_call;

typedef void snakepit_ended_call_fn(void *user, const snakepit_ended_call *call);

// Which of them. Set `size` to sizeof the struct, and leave what you do not need zero.
typedef struct snakepit_recent_options {
    size_t size;
    bool failed; // only those that have failed
    bool slow;   // only those that took a second or longer, in line and in the tool
    size_t most; // 0: 100
} snakepit_recent_options;

// Gives `take` the calls of a pool that have ended last, the newest first. Of all that
// end the last 4096 are there, but only while they are recorded; see
// snakepit_calls_record(). The last 128 that have failed or were slow are always there,
// but for those that were cancelled. `take`, `pool` as above; `options` may be NULL.
// UNKNOWN_POOL, INVALID_ARGUMENT, NO_MEMORY.
SNAKEPIT_API snakepit_err snakepit_recent_calls(snakepit *pit,
                                                const char *pool,
                                                const snakepit_recent_options *options,
                                                snakepit_ended_call_fn *take,
                                                void *user);

// Whether all calls that end are recorded, in every pool: from the first `true` until
// there was a `false` for each. It costs 512 KiB a pool, and each call a tenth of a
// microsecond. A daemon does so for a pit that is connected to it, until that is
// closed. NO_MEMORY: nothing has changed. DAEMON_LOST.
SNAKEPIT_API snakepit_err snakepit_calls_record(snakepit *pit, bool on);

#ifdef __cplusplus
}
#endif

#endif
