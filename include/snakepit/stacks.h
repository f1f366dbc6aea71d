// SPDX-License-Identifier: MIT
// Where the threads of a worker are in their Python code. Any thread.
#ifndef SNAKEPIT_STACKS_H
#define SNAKEPIT_STACKS_H

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// A function that has not returned. Texts are UTF-8 without control codes; what is too
// long is cut. The struct stays as it is.
typedef struct snakepit_frame {
    const char *function; // qualified, "Shop.order"; empty: it could not be read
    const char *file;     // likewise; of one that is cut its end is told
    uint32_t line;        // where it is now; 0: it is not known
} snakepit_frame;

// A thread of a worker that Python knows. Borrowed for the callback, with all that it
// points to.
typedef struct snakepit_stack {
    size_t size;      // of the struct as the library knows it
    int32_t executor; // which thread it is of those that run calls; -1: it runs none
    int32_t thread;   // its number in the kernel; 0: it is not known
    // What the kernel says that it does: "running", "sleeping", "waiting for a device",
    // "stopped" (by SIGSTOP), "stopped by a debugger", "dead", "unknown".
    const char *state;
    uint64_t call;       // that it runs, a snakepit_call_id; 0: none
    const char *tool;    // of that call; empty: there is none, or it is not known
    uint64_t running_us; // how long the call has run, in microseconds
    bool stuck; // it was given up, and did not end in time when it was cancelled
    // It did not hold still while it was read, so its frames may be of several moments.
    bool moved;
    bool cut;     // there are more frames than are told: these are the innermost ones
    bool lost;    // it could not be read to its outermost frame
    size_t count; // of frames, at most 100
    const snakepit_frame *frames; // innermost first; of a call without the bridge's
                                  // that have called the tool
} snakepit_stack;

typedef void snakepit_stack_fn(void *user, const snakepit_stack *stack);

// Gives `take` the stack of each thread of a worker: of those that run calls, in order,
// then of the others. They are read in the worker's memory from outside, so it does not
// matter whether the worker runs Python, is stuck in C with the GIL, waits or is
// stopped; its calls notice nothing. Usually takes less than a millisecond, at most
// about a tenth of a second, and what could not be read by then is `lost`. `take` runs
// on the calling thread before this returns, and only where it returns OK. `pool` NULL:
// the default pool. `worker` is the `id` of snakepit_pool_workers(). `why`, where not
// NULL, explains an error in one sentence. NOT_FOUND: there is no such worker, or no
// longer. AGAIN: it has not started so far. UNSUPPORTED: its Python is not 3.11
// to 3.13. SYSTEM: the kernel does not let this program read the worker's memory.
// UNKNOWN_POOL, INVALID_ARGUMENT, NO_MEMORY.
SNAKEPIT_API snakepit_err snakepit_worker_stacks(snakepit *pit,
                                                 const char *pool,
                                                 uint64_t worker,
                                                 snakepit_stack_fn *take,
                                                 void *user,
                                                 snakepit_message *why);

#ifdef __cplusplus
}
#endif

#endif
