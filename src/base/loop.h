// SPDX-License-Identifier: MIT
// One thread that waits for descriptors, timers, and others who wake it. A loop asks
// the kernel for nothing after it was made but to watch a descriptor, and that may
// fail: a lack of resources is an error of the one who asks, never the end of the
// process.
//
// Owner of everything: the thread that runs the loop, or, before it runs, the one that
// made it. Callbacks run one at a time; each may stop and start anything.
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/list.h"

struct sp_watch;
struct sp_timer;
struct sp_task;
struct sp_loop;

typedef void sp_watch_fn(struct sp_watch *watch);
typedef void sp_timer_fn(struct sp_timer *timer);
typedef void sp_task_fn(struct sp_task *task);
typedef void sp_woken_fn(void *user);

// A descriptor that is waited for. Zeroed: it watches nothing.
struct sp_watch {
    void *user;
    struct sp_loop *loop; // NULL while it watches nothing
    int fd;
    sp_watch_fn *ready;
};

// Zeroed but for `user`: it is not running.
struct sp_timer {
    void *user;
    struct sp_link link; // of the loop, while it runs
    uint64_t due;        // CLOCK_MONOTONIC ns
    uint64_t again;      // ns from one time to the next; 0: once
    sp_timer_fn *fire;
};

// Something to be done when the callback that runs now has returned.
struct sp_task {
    void *user;
    struct sp_link link;
    sp_task_fn *run;
};

struct sp_loop {
    int epoll;
    int bell; // eventfd
    struct sp_watch bell_watch;
    sp_woken_fn *woken;
    void *user;
    struct sp_link timers; // by when they are due
    struct sp_link tasks;
    bool stop;
    uint32_t process; // sp_fork_here(): whose it is
};

// `woken` runs on the loop after each sp_loop_wake(); several may become one. SYSTEM,
// with errno: no descriptors; `why` explains it.
snakepit_err sp_loop_init(struct sp_loop *loop,
                          sp_woken_fn *woken,
                          void *user,
                          snakepit_message *why);
// Whatever is watched must be stopped. One that was never made, all zero or failed, is
// fine.
void sp_loop_fini(struct sp_loop *loop);

// Waits and calls back until sp_loop_stop(); runs what tasks there are before it
// returns. In a child that a callback has forked, and that returns from it, this
// returns at once.
void sp_loop_run(struct sp_loop *loop);
void sp_loop_stop(struct sp_loop *loop);
// Any thread, also within a signal handler.
void sp_loop_wake(struct sp_loop *loop);

// Calls `ready` whenever there is something to read, or the other side is gone. SYSTEM,
// with errno: the kernel cannot watch more; `why` explains it.
snakepit_err sp_watch_start(struct sp_watch *watch,
                            struct sp_loop *loop,
                            int fd,
                            sp_watch_fn *ready,
                            snakepit_message *why);
// Before the descriptor is closed. One that watches nothing is fine.
void sp_watch_stop(struct sp_watch *watch);

// Calls `fire` after `first_ms`, then, unless that is 0, every `again_ms`. One that
// runs already begins anew.
void sp_timer_start(struct sp_loop *loop,
                    struct sp_timer *timer,
                    sp_timer_fn *fire,
                    uint64_t first_ms,
                    uint64_t again_ms);
// One that does not run is fine.
void sp_timer_stop(struct sp_timer *timer);
bool sp_timer_runs(const struct sp_timer *timer);

// `task` may be asked for again once it runs.
void sp_loop_later(struct sp_loop *loop, struct sp_task *task, sp_task_fn *run);

#endif
