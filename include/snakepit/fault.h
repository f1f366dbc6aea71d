// SPDX-License-Identifier: MIT
// What went wrong with a call, and how it was stopped.
#ifndef SNAKEPIT_FAULT_H
#define SNAKEPIT_FAULT_H

#include "errors.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a call that was given up was stopped. It is given up by its deadline, by its
// caller or, while it runs, by snakepit_close(). Each step is taken only if the one
// before it was not enough.
typedef enum snakepit_stop {
    SNAKEPIT_STOP_NONE = 0,    // it was not given up
    SNAKEPIT_STOP_IN_LINE,     // it left the line: its tool never ran, or not in this
                               // attempt
    SNAKEPIT_STOP_UNSTARTED,   // it was taken back from its worker: its tool never ran
    SNAKEPIT_STOP_COOPERATIVE, // the tool ended by itself; current_call().cancelled
                               // told it that nobody waits any more
    SNAKEPIT_STOP_EXCEPTION,   // Cancelled was raised in the tool, and ended it
    SNAKEPIT_STOP_KILLED       // the tool ended with its worker
} snakepit_stop;

// What went wrong. Every text is "" where it does not apply, never NULL, and lives as
// long as the answer. In texts that come from a worker, control codes and whatever else
// would confuse a terminal are replaced by '?'.
typedef struct snakepit_fault {
    snakepit_err err;
    const char *message; // one sentence
    // The Python exception's class, with its module unless it is one of Python's own:
    // "ValueError", "shop.errors.SoldOut".
    const char *type;
    const char *traceback; // Python's, without the bridge's frames
    const char *stage; // "line", "worker", "running": where the call was when it ended
    const char *cause; // of a death: "killed by signal 9 (SIGKILL)"
    const char *last_output; // the last lines that a dead worker wrote to stderr
    uint64_t worker;         // its id, 0 for none
    // What the tool that raised was called with, never the values themselves:
    // "data: float32[3,4], n: int". Empty if no tool ran.
    const char *arguments;
    snakepit_stop stop; // with `tool_runs` the step that had been taken by then
    bool tool_runs;   // the tool ran on when this answer was given, so what it does may
                      // still happen; see snakepit_answer_get_stop()
    uint32_t late_ms; // of a call whose time was up: by how many milliseconds its
                      // answer was late; else 0
    // Of a worker that a signal has killed: Python's stack of the thread that got it,
    // innermost call first. Empty if that thread ran no Python.
    const char *crash_stack;
    // Of a call whose time was up while its tool ran: Python's stack of the thread that
    // ran it at that moment, innermost call first. Empty where it could not be read
    // within a millisecond; see snakepit_worker_stacks().
    const char *late_stack;
} snakepit_fault;

// The fault of an answer that is not OK; for one that is, a fault with err == OK. Never
// NULL.
SNAKEPIT_API const snakepit_fault *snakepit_answer_fault(const snakepit_answer *answer);

// "IN_LINE"; for a number that is not a step: "UNKNOWN".
SNAKEPIT_API const char *snakepit_stop_name(snakepit_stop stop);

// What has become of a call that was given up, by now: the fault says what was known
// when the answer was given.
typedef struct snakepit_stop_info {
    size_t size;        // of the struct as the program knows it
    snakepit_stop stop; // what ended the tool; with `tool_runs` the last step taken
    bool tool_runs;     // whether the tool still runs now
    uint64_t after_us;  // until the tool ended, or until now, in microseconds after the
                        // call's deadline or its cancel
} snakepit_stop_info;

// Set `size` to sizeof the struct before the call. NOT_FOUND: the call was not given
// up. INVALID_ARGUMENT. Any thread, also after snakepit_close().
SNAKEPIT_API snakepit_err snakepit_answer_get_stop(const snakepit_answer *answer,
                                                   snakepit_stop_info *info);

#ifdef __cplusplus
}
#endif

#endif
