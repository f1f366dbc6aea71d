// SPDX-License-Identifier: MIT
// One Python process from its start to the moment its exit was observed. The loop owns
// it: all functions and callbacks belong to the loop thread, except where a comment
// says otherwise.
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/slice.h"
#include "ipc/channel.h"
#include "ipc/control.h"
#include "port/port.h"
#include "port/watcher.h"
#include "process/listener.h"
#include "process/report.h"
#include "process/state.h"
#include "process/subprocess.h"
#include "process/template.h"
#include "telemetry/figures.h"

#define SP_CAUSE_MAX 256u

struct sp_worker;

// What is known of a worker that is gone or going. Texts are borrowed for the callback.
struct sp_worker_loss {
    const char *cause;       // one sentence
    const char *last_output; // last lines of its stderr
    const char *stack;       // Python's, of the thread that crashed; or empty
    bool by_us;    // killed on purpose, for something that its calls cannot help
    bool violated; // killed because it broke the protocol
};

struct sp_worker_hooks {
    // The template has made its process. Not for an exec'ed one, which has it at once.
    void (*born)(void *user, struct sp_worker *worker);
    // Its first call was answered; `info` of the worker is filled in.
    void (*ready)(void *user, struct sp_worker *worker);
    // SIGTERM has told it to leave: it begins no further call. For one that was ready.
    void (*leaving)(void *user, struct sp_worker *worker);
    // Whether it runs calls.
    bool (*is_busy)(void *user, const struct sp_worker *worker);
    // The GIL was off and is on; `info` says so. For one that was ready.
    void (*gil)(void *user, struct sp_worker *worker);
    // It has mapped the memory of that serial number, or cannot.
    void (*mapped)(void *user, struct sp_worker *worker, uint64_t serial, bool mapped);
    // It is dead: its calls can be failed now. Once, on any thread, with lost_lock
    // held, always before `gone`, also for a worker that never was ready. Not for one
    // that was not born.
    void (*lost)(void *user,
                 struct sp_worker *worker,
                 const struct sp_worker_loss *loss);
    // Its exit was observed: its place is free. What it has left behind in its group
    // may still be there. Always before `gone`.
    void (*exited)(void *user, struct sp_worker *worker);
    // The program may not signal it any more, so it may not be possible to stop it.
    void (*denied)(void *user, struct sp_worker *worker);
    // Nothing of it is left but its memory. Free it with sp_worker_free(), here or
    // later.
    void (*gone)(void *user, struct sp_worker *worker);
    void *user;
};

// Everything is borrowed for the life of the worker.
struct sp_worker_options {
    struct sp_loop *loop;
    struct sp_watcher *watcher; // NULL: pidfds only
    const struct sp_log *log;
    struct sp_listener *listener;
    struct sp_inbox *inbox; // of the loop's thread
    const char *pool;
    uint64_t id;
    const char *python;
    char *const *environment;
    struct sp_template *template; // forks it; NULL: it is exec'ed
    struct sp_cgroup_limits limits;
    cpu_set_t cpus;              // what it may use; none: all that the host may
    bool gives_way;              // others go first while it starts; it may take longer
    struct sp_slice config;      // body of the first message; borrowed for the start
    struct sp_slice fork_config; // the same for one that is forked; empty: no other
    int requests;                // read-only descriptor of the pool's segment
    struct sp_control_shape shape;
    uint32_t start_timeout_ms;
    uint32_t stop_grace_ms;
    uint32_t heartbeat_interval_ms;
    uint32_t heartbeat_max_missed;
    struct sp_worker_hooks hooks;
    void *made_from; // the owner's; not looked at here
};

#define SP_FAILURE_MAX 8192u

// Owner: loop thread, but for `lost_lock` and what it guards, and what is atomic.
struct sp_worker {
    struct sp_worker_options options;
    enum sp_worker_state state;
    struct sp_port *port; // one reference
    struct sp_subprocess child;
    struct sp_worker_info info;
    struct sp_buf idempotent; // see sp_worker_read_idempotent()
    struct sp_buf sources;    // see sp_worker_read_sources()
    struct sp_buf batches;    // see sp_worker_read_batches()
    bool forked;              // by the template, which may be gone since
    struct sp_fork fork;      // pending until it is born
    struct sp_buf first_message;
    size_t fork_message;         // where that for one that is forked begins in it
    struct sp_oom_seen oom_seen; // when it started
    uint64_t watch;              // at the watcher, 0 for none
    uint32_t missed;             // heartbeats in a row without an answer
    uint32_t probe_slot;
    bool greeted;             // its service thread answers
    _Atomic bool silent;      // it was killed because its service thread did not
    bool failed;              // it reported that it cannot start
    bool adapter_failed;      // and that this was the adapter's doing
    bool wants;               // the system refused something; `failure` says what
    const char *_Atomic late; // constant text: its start takes too long; NULL: no
    char stack[SP_STACK_MAX]; // Python's: where its start was, or, once it is lost, of
                              // its crash; or empty
    char failure[SP_FAILURE_MAX]; // its words, or ours
    bool leaves;                  // it says that SIGTERM has told it to
    _Atomic bool interrupted;     // and that another one interrupts what it runs
    _Atomic bool signalled;       // SIGTERM came from us
    void *seat;                   // the pool's; set and cleared under lost_lock
    char cause[SP_CAUSE_MAX];     // of its loss, as its owner was told; under lost_lock
    const char *left_for; // the owner's: why it made room for another one; or NULL
    bool expected;        // it was told to end; once its exit was observed

    uint32_t rings; // of its bell, for nothing
    struct sp_watch doorbell_watch;
    struct sp_timer heartbeat;
    struct sp_task denial; // tells that it may not be signalled
    bool probed;           // its first call was sent
    bool asked_where;      // where its start is
    bool told_late;        // that it took too long
    struct sp_events events;

    pthread_mutex_t lost_lock; // taken before a pool's lock, never inside it
    bool lost;                 // guarded by lost_lock
    enum sp_oom memory; // what the kernel says of that, once it is lost; likewise
    _Atomic(const char *) killed_for; // constant text, set once
    _Atomic bool replaced; // by a tool that called exec; before that is reported
    _Atomic bool blamed;   // a call of it, which nobody knows; before it is killed
    _Atomic bool violated; // the protocol; before it is killed for that
    _Atomic bool served;   // it has been ready
    _Atomic enum sp_death counts_as; // UNKNOWN: nothing special; before it is killed
};

// Starts the process, or asks the template for it; where the template does not take the
// request it is exec'ed. SYSTEM with the reason in `why`, NO_MEMORY: no callback runs.
snakepit_err sp_worker_start(const struct sp_worker_options *options,
                             struct sp_worker **worker,
                             snakepit_message *why);
// Asks it to leave; after stop_grace_ms SIGTERM goes to its group, after the same time
// SIGKILL.
void sp_worker_stop(struct sp_worker *worker);
// Kills it now; what it leaves behind in its group is asked to leave first. `why` is a
// constant text that completes "killed by us because". Takes no lock.
void sp_worker_kill(struct sp_worker *worker, const char *why);
// The same where one of its calls may be to blame, so that none of those that it runs
// is to be sent again.
void sp_worker_kill_for_calls(struct sp_worker *worker, const char *why);
// The same where the cause is known, and none of the calls that somebody waits for: it
// is counted as `death`.
void sp_worker_kill_as(struct sp_worker *worker, enum sp_death death, const char *why);
// The same for one that broke the protocol.
void sp_worker_kill_for_violation(struct sp_worker *worker, const char *why);
// The same for one that was about to be stopped: its end is expected. Loop thread.
void sp_worker_end(struct sp_worker *worker, const char *why);
// Asks it to cancel the call in a slot. False: its channel is full; ask again.
bool sp_worker_cancel(struct sp_worker *worker, uint64_t call, uint32_t slot);
// Has it map a window, or let go of it; see ipc/layout.h. False: ask again.
bool sp_worker_map(
    struct sp_worker *worker, uint32_t window, uint64_t serial, int fd, uint64_t size);
bool sp_worker_unmap(struct sp_worker *worker, uint32_t window, uint64_t serial);
// What the worker says it may be dying of. Any thread.
enum sp_fault sp_worker_fault(const struct sp_worker *worker);
// Its resident memory in bytes, without what it shares with the host; 0: not known.
// Loop thread.
uint64_t sp_worker_memory(const struct sp_worker *worker);
// The same, and how many threads it has; 0: not known.
struct sp_worker_usage {
    uint64_t memory;
    uint32_t threads;
};
struct sp_worker_usage sp_worker_usage(const struct sp_worker *worker);
// The same, where what several processes share, as forked workers do, counts for each
// of them in part. Takes a walk through its page tables: a millisecond for a small one.
uint64_t sp_worker_share(const struct sp_worker *worker);
// The processor time that it has used, in nanoseconds, without that of processes it has
// started; 0: not known.
uint64_t sp_worker_cpu(const struct sp_worker *worker);
// Where a start that was late was when its time was up: one sentence, and the stack.
// Empty for another one.
void sp_worker_where(const struct sp_worker *worker, char *room, size_t size);
// How it ended, once its exit was observed.
enum sp_death sp_worker_death(struct sp_worker *worker);
// Whether it has ended because SIGTERM told it to, which did not come from us. After
// its exit was observed.
bool sp_worker_was_told(const struct sp_worker *worker);
// After `gone`. The memory lives on while answers refer to it.
void sp_worker_free(struct sp_worker *worker);

#endif
