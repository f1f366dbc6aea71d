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
typedef void sp_before_fn(void *user);

// What a watch waits for, and what it is told.
enum sp_watch_events {
    SP_WATCH_READ = 1,   // there is something to read, or the end of it
    SP_WATCH_WRITE = 2,  // there is room to write
    SP_WATCH_HANGUP = 4, // the other side of a stream writes nothing more
    SP_WATCH_BROKEN = 8, // an error, or both directions are over: told without being
                         // waited for, as long as it lasts
    SP_WATCH_EDGE = 32,  // only what is new is told; nothing of it need be read
    SP_WATCH_SHARED = 16 // not all of the loops that watch the same descriptor are
                         // told; only from the start, and with SP_WATCH_READ alone
};

// A descriptor that is waited for. Zeroed: it watches nothing.
struct sp_watch {
    void *user;
    struct sp_loop *loop; // NULL while it watches nothing
    int fd;
    unsigned wanted;   // events
    unsigned happened; // events, for `ready`
    unsigned place;    // among those that are still to be told, from 1; 0: it is not
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

#define SP_LOOP_BATCH 32u // events that the kernel hands over at once

// What happened to a watch, until that is told it.
struct sp_loop_event {
    struct sp_watch *watch; // NULL: it was stopped meanwhile
    unsigned happened;
};

struct sp_loop {
    int epoll;
    int bell; // eventfd
    struct sp_watch bell_watch;
    sp_woken_fn *woken;
    sp_before_fn *before; // NULL: nothing
    void *user;
    struct sp_loop_event batch[SP_LOOP_BATCH];
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
// On its thread: whether a descriptor has something to tell.
bool sp_loop_is_called(const struct sp_loop *loop);
// Has `before` called, with the user of the loop, each time before the loop waits.
void sp_loop_before_waits(struct sp_loop *loop, sp_before_fn *before);

// Calls `ready` whenever there is something to read, or the other side is gone. SYSTEM,
// with errno: the kernel cannot watch more; `why` explains it.
snakepit_err sp_watch_start(struct sp_watch *watch,
                            struct sp_loop *loop,
                            int fd,
                            sp_watch_fn *ready,
                            snakepit_message *why);
// The same for the events `wanted`, once `ready` is set in the watch, which finds in
// `watch->happened` which of them there are. An event that lasts is told again each
// turn.
snakepit_err sp_watch_start_for(struct sp_watch *watch,
                                struct sp_loop *loop,
                                int fd,
                                unsigned wanted,
                                snakepit_message *why);
// Waits for others from now on; 0: for SP_WATCH_BROKEN only. Not of a shared watch. No
// system call if nothing changes.
void sp_watch_want(struct sp_watch *watch, unsigned wanted);
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
// One that was asked for and has not run.
bool sp_task_waits(const struct sp_task *task);
// It does not run. One that was not asked for is fine.
void sp_task_cancel(struct sp_task *task);

#endif
