// SPDX-License-Identifier: MIT
// The stacks of Python of all threads of a worker, whatever it does: it may run, wait,
// be stuck in C with the GIL, or be stopped. The worker has no part in it and notices
// nothing; see decision 0066. What is told is what the worker's memory says, so a
// worker that lies tells lies: texts are bounded and clean, and nothing else is
// believed.
#ifndef INSPECT_STACKS_H
#define INSPECT_STACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <snakepit/payload.h>

#include "inspect/frames.h"
#include "ipc/control.h"

#define SP_NO_EXECUTOR UINT32_MAX

// A thread of the worker. Borrowed for the callback.
struct sp_stack {
    uint32_t executor;   // SP_NO_EXECUTOR: it takes no calls
    uint64_t thread;     // its number as the worker knows it; 0: it is not known
    char state;          // see sp_threads_state()
    uint64_t call;       // that it runs; 0: none
    uint64_t running_us; // since when
    const struct sp_frames *frames;
};

typedef void sp_stack_fn(void *user, const struct sp_stack *stack);

// Whose stacks are wanted. Borrowed.
struct sp_stacks_source {
    const struct sp_control_view *view;
    pid_t pid;        // a child that nobody has reaped
    pid_t in_proc;    // its number as /proc names it; 0: it has none
    uint32_t time_ms; // that it may take
    uint64_t call;    // only the executor that runs this is wanted; 0: all threads
};

// Gives `take` the stack of each executor that takes calls, in order, then those of the
// other threads that Python knows; what could not be read in time is lost. AGAIN: the
// worker has not come so far that it has any. UNSUPPORTED: this version of Python is
// not known. NOT_FOUND: the process is gone. SYSTEM: the kernel refuses. NO_MEMORY.
// Then `why` says more, and `take` was not called. Any thread; it allocates.
snakepit_err sp_stacks_read(const struct sp_stacks_source *source,
                            sp_stack_fn *take,
                            void *user,
                            snakepit_message *why);

#endif
