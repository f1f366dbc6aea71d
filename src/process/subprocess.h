// SPDX-License-Identifier: MIT
// What a worker and a template have in common: one process of ours, from its start to
// the moment its exit was observed. Its descriptors, what it prints, what it sends, how
// it is asked to leave and then forced to, and what it leaves behind in its group. Who
// embeds it says in a table of functions what differs. It is trusted with nothing:
// messages are bounded, and every wait has a timer behind it. Loop thread only.
//
// In this order: init, watch_exit, begin, then the functions of the kind, of which
// `exited`, `finished` and `gone` come once each and last, in this order.
#ifndef PROCESS_SUBPROCESS_H
#define PROCESS_SUBPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/bucket.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/slice.h"
#include "ipc/channel.h"
#include "process/cause.h"
#include "process/cgroup.h"
#include "process/flow.h"
#include "process/others.h"
#include "process/spawn.h"

#define SP_MESSAGES_A_TURN 64 // so that one process cannot keep the loop busy

struct sp_subprocess;

// How a worker differs from a template. Every text `why` is constant.
struct sp_subprocess_kind {
    // It has sent a message.
    void (*message)(struct sp_subprocess *child,
                    const struct sp_message_head *head,
                    const uint8_t *body);
    // Whether a message may be larger than a packet now. NULL: never.
    bool (*may_be_large)(struct sp_subprocess *child);
    // SYSTEM, with errno: there was no room for a large message. END: its channel has
    // ended, which is not the end of the process. NULL: neither matters.
    void (*unreadable)(struct sp_subprocess *child, snakepit_err err);
    // What it sent breaks the rules: it is to be killed.
    void (*violated)(struct sp_subprocess *child, const char *why);
    // It was not ready in time: it is to be killed.
    void (*late)(struct sp_subprocess *child, const char *why);
    // The ladder: it is to get SIGTERM; and, the same time later, SIGKILL.
    void (*terminate)(struct sp_subprocess *child);
    void (*kill)(struct sp_subprocess *child);
    // We may not signal it. Once; whoever signals may hold locks. May be NULL.
    void (*denied)(struct sp_subprocess *child);
    // It was killed in every way that is open to us, and lives: `why` says so. `exited`
    // follows at once, and then `gone`.
    void (*given_up)(struct sp_subprocess *child, const char *why);
    // Its exit was observed; `end` says how it has ended. Nothing is read from its
    // channel after this.
    void (*exited)(struct sp_subprocess *child);
    // Nobody else of its group is left, or whoever is has had their time: kill what is
    // left, and reap it. Not for one that was given up.
    void (*clear_group)(struct sp_subprocess *child);
    // All that it has printed was read. May be NULL.
    void (*finished)(struct sp_subprocess *child);
    // Nothing of it is left but its memory.
    void (*gone)(struct sp_subprocess *child);
};

// Borrowed for its life.
struct sp_subprocess_options {
    struct sp_loop *loop;
    struct sp_inbox *inbox; // of the loop's thread
    const struct sp_log *log;
    const char *pool;
    uint64_t worker; // 0: a template
    uint32_t start_timeout_ms;
    uint32_t stop_grace_ms;
};

// Owner: whoever embeds it, on the loop thread; the outputs of `flow` have locks.
struct sp_subprocess {
    const struct sp_subprocess_kind *kind;
    struct sp_subprocess_options options;
    struct sp_process process;
    struct sp_exit end;
    bool born;      // there is, or was, a process
    bool over;      // its exit was observed, or it was given up
    bool denied;    // we may not signal it
    bool said_much; // a message came that was larger than a packet
    struct sp_cgroup cgroup;
    uint64_t started_at;       // CLOCK_MONOTONIC ns
    struct sp_bucket messages; // that it may send
    struct sp_flow flow;       // what it prints
    struct sp_watch channel_watch;
    struct sp_watch exit_watch;
    struct sp_timer timer;   // start, then whatever the kind waits for, then the ladder
    struct sp_others others; // what it leaves behind
    struct sp_task burial;   // when nothing of it is left
};

// What is needed to signal it or to wait for it.
static inline struct sp_child sp_subprocess_child(const struct sp_subprocess *child)
{
    return sp_process_child(&child->process);
}

// Before there is a process. `child` is zeroed.
void sp_subprocess_init(struct sp_subprocess *child,
                        const struct sp_subprocess_kind *kind,
                        const struct sp_subprocess_options *options);
// The process is there: watches its exit, which must succeed before anything else.
// SYSTEM, with errno, which `why` explains: it was killed and reaped.
snakepit_err sp_subprocess_watch_exit(struct sp_subprocess *child,
                                      snakepit_message *why);
// It is born: reads what it prints and sends, and gives it start_timeout_ms. SYSTEM,
// with errno, which `why` explains: its channel cannot be watched, so it must be
// killed.
snakepit_err sp_subprocess_begin(struct sp_subprocess *child, snakepit_message *why);
// Ends at once a process that was begun and that its owner never got: no function of
// the kind runs any more.
void sp_subprocess_discard(struct sp_subprocess *child);
// Sends its first message. `why` explains what went wrong, and the child is to be
// killed for it.
snakepit_err sp_subprocess_configure(struct sp_subprocess *child,
                                     struct sp_slice config,
                                     snakepit_message *why);
// Reads what it has sent, at most `most` messages.
void sp_subprocess_read(struct sp_subprocess *child, int most);

// Sends a signal to it, or, with `group`, to all that it has started as well. Nothing
// happens before it is born and when it is over.
void sp_subprocess_signal(struct sp_subprocess *child, int number, bool group);
// Has the timer call `fire` once. See sp_subprocess_of_timer().
void sp_subprocess_wait(struct sp_subprocess *child, sp_timer_fn *fire, uint64_t ms);
// Begins the ladder. It was asked to leave: after stop_grace_ms it gets SIGTERM, after
// the same time SIGKILL.
void sp_subprocess_give_grace(struct sp_subprocess *child);
// The last step of it alone.
void sp_subprocess_give_last_grace(struct sp_subprocess *child);

static inline struct sp_subprocess *sp_subprocess_of_timer(struct sp_timer *timer)
{
    return SP_ENTRY(timer, struct sp_subprocess, timer);
}

// After `gone`, or where nothing was begun: closes our ends.
void sp_subprocess_fini(struct sp_subprocess *child);

#endif
