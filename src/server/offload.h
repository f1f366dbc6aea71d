// SPDX-License-Identifier: MIT
// Work that would keep a loop from its other connections for long: a few threads of the
// server do it, in the order in which it comes, and what it comes to is handed back on
// the loop that asked. Each connection and stream has one piece of it at most, so the
// line is as short as those are few.
#ifndef SERVER_OFFLOAD_H
#define SERVER_OFFLOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <snakepit/snakepit.h>

#include "base/list.h"

struct sp_serve_loop;

#define SP_OFFLOAD_THREADS 2u

// One piece of work, embedded in what it is about. Lives until `done`.
struct sp_offload_work {
    struct sp_link link;        // zeroed
    struct sp_serve_loop *loop; // that asks
    bool waits;                 // it is in the line. Guarded by the server's lock
    // Runs once on one of the threads, or never where the server closes before.
    void (*run)(struct sp_offload_work *work);
    // Runs once, after that: on the loop, or, when that has ended, in
    // sp_offload_stop(). May free the work.
    void (*done)(struct sp_offload_work *work);
};

// Zeroed: it has no threads, and does nothing.
struct sp_offload {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct sp_link line; // work that waits. Guarded by `lock`
    bool stopping;       // guarded by `lock`
    bool started;        // `lock` and `more` are there
    size_t count;        // of threads
    pthread_t threads[SP_OFFLOAD_THREADS];
};

// SYSTEM: a thread was refused; `why` explains it.
snakepit_err sp_offload_start(struct sp_offload *offload, snakepit_message *why);
// Ends the threads when what they do is done, and calls `done` of what has waited. Once
// the loops have ended, which then take what was done for them. One that was never
// started is fine, here and below.
void sp_offload_stop(struct sp_offload *offload);
void sp_offload_fini(struct sp_offload *offload);

// On the loop thread. Where the loop's server has no such threads, `run` and `done` are
// called before this returns.
void sp_offload_do(struct sp_serve_loop *loop, struct sp_offload_work *work);
// Nobody wants it any more: calls `done` at once if it has not begun. On the loop
// thread, of work that is not done. A client that asks and gives up again and again is
// not to fill the line.
void sp_offload_give_up(struct sp_offload_work *work);
// Calls `done` of what was done for the loop. On its thread, or once that has ended.
void sp_offload_take(struct sp_serve_loop *loop);

#endif
