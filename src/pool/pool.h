// SPDX-License-Identifier: MIT
// Many workers, one promise: a call that is admitted gets exactly one answer, whatever
// the workers do. The pool admits, lets wait, chooses a worker and answers; the lives
// of workers are the control plane's (pool/supervisor.h), which adds seats and takes
// them away.
//
// Any thread may call. The pool is freed when it was closed and the last answer was
// released.
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "base/names.h"
#include "config/config.h"
#include "pool/call.h"
#include "pool/line.h"
#include "pool/seat.h"
#include "pool/store.h"
#include "pool/ties.h"

#define SP_SPARES 64u // a power of two

enum sp_pool_state {
    SP_POOL_STARTING, // has never been whole
    SP_POOL_READY,    // all workers take calls
    SP_POOL_DEGRADED, // some do not
    SP_POOL_DOWN,     // none does, and their starts keep failing; see `failure`
    SP_POOL_FAILED,   // none can be started, and none is any more; see `failure`
    SP_POOL_STOPPING,
};

struct sp_question; // pool/question.h

// How the pool calls upwards. All but the last run with the pool's lock held, on any
// thread: they only wake others.
struct sp_pool_hooks {
    void (*attention)(void *user); // sp_pool_tick() is wanted
    void (*ended)(void *user);     // an asynchronous call ended, or asks, outside of
                                   // sp_pool_collect()
    void (*changed)(void *user);   // the state has changed
    // A tool asks its host. May take long and call the pool. NULL: there are no tools.
    snakepit_err (*question)(void *user, struct sp_question *question);
    void *user;
};

struct sp_pool_options {
    const char *name; // borrowed for the life of the pool's owner; copied
    uint32_t max_queue;
    uint32_t queue_timeout_ms; // 0: none
    uint32_t call_timeout_ms;  // 0: none
    uint32_t cancel_grace_ms;
    uint32_t prefetch; // UINT32_MAX: by the observed service time
    uint64_t shared_memory_size;
    bool payloads_hidden; // core dumps leave the requests out
    uint32_t index;       // in the pit: goes into the ids of calls
    enum sp_affinity affinity;
    uint32_t max_sessions;       // whose ties are kept
    uint64_t session_ttl_ms;     // 0: ties do not expire
    struct sp_hash_key hash_key; // chance
};

struct sp_pool_counters {
    uint64_t calls, failures, saturated, timeouts, cancelled;
    uint64_t starts, deaths, violations;
};

// A place for one call, in a line of its own: other threads use the next one.
struct sp_spare {
    _Alignas(64) _Atomic(struct sp_call *) call;
};

#define SP_SPARE_CLOSED ((struct sp_call *)1)

struct sp_pool {
    char *name;                     // constant
    struct sp_pool_options options; // constant
    struct sp_pool_hooks hooks;     // constant
    const struct sp_log *log;       // constant; borrowed until the pool is closed
    struct sp_store store;          // has a lock of its own
    uint32_t process;               // sp_fork_here(): whose it is; constant

    _Atomic uint32_t refs; // the owner and every call that is not in `free_calls`
    // See pool/spares.h. NULL: the place is free; SP_SPARE_CLOSED: for good.
    struct sp_spare spares[SP_SPARES];

    _Alignas(64) pthread_mutex_t lock; // guards all that follows
    enum sp_pool_state state;
    const char *profile; // constant text
    uint32_t workers;    // configured
    uint32_t threads;    // calls that one worker runs at once
    char failure[1024];  // why the last start failed, or why it is FAILED; or empty
    struct sp_link free_calls;
    struct sp_link seats;
    struct sp_schedule schedule;
    struct sp_line line;
    struct sp_ties ties;
    struct sp_link waited_for; // seats that have lines of their own
    struct sp_link asyncs;     // asynchronous calls and streams that have not ended
    struct sp_link ended;      // asynchronous calls whose callback has not run
    struct sp_link questions;  // asynchronous calls that wait for a reply
    uint32_t orphans;
    uint32_t placed; // calls in slots, orphans excluded
    uint64_t last_call;
    uint64_t ran_average;      // ticks that a call takes to run; 0: not known
    _Atomic uint32_t peer_cpu; // where the last asynchronous call ended
    struct sp_pool_counters counters;
};

// NO_MEMORY, SYSTEM, which `why` explains. `log` is borrowed.
snakepit_err sp_pool_open(const struct sp_pool_options *options,
                          const struct sp_pool_hooks *hooks,
                          const struct sp_log *log,
                          struct sp_pool **pool,
                          snakepit_message *why);
// Refuses new calls from now on with SHUTTING_DOWN; calls that were admitted go on.
void sp_pool_begin_close(struct sp_pool *pool);
// True while calls that were admitted have not ended.
bool sp_pool_is_busy(struct sp_pool *pool);
// True once new calls are refused.
bool sp_pool_is_closing(struct sp_pool *pool);
// True while tools run whose calls were given up, so that they clean up; a worker that
// does not get to it is killed after cancel_grace_ms.
bool sp_pool_awaits_tools(struct sp_pool *pool);
// Ends all calls that have not ended, with SHUTTING_DOWN.
void sp_pool_end_all(struct sp_pool *pool);
// The owner's last word: no seats, no unended calls. Frees the pool with its last
// answer.
void sp_pool_close(struct sp_pool *pool);

// ---- Calls (pool/admit.c) -----------------------------------------------------

// Runs a call and waits for its end. `timeout_ms` 0: the pool's. `*call` is the answer,
// to be released; NULL only with NO_MEMORY. Returns the call's outcome.
snakepit_err sp_pool_call(struct sp_pool *pool,
                          const struct sp_request_text *text,
                          uint32_t timeout_ms,
                          struct sp_call **call);
// What becomes of a call that is handed over.
struct sp_submission {
    sp_call_done_fn *done;
    void *user;
    uint64_t *id;          // NULL, or where its id goes
    snakepit_message *why; // NULL, or where a refusal is explained
};
// Hands a call over; see snakepit_submit().
snakepit_err sp_pool_submit(struct sp_pool *pool,
                            const struct sp_request_text *text,
                            uint32_t timeout_ms,
                            const struct sp_submission *submission);
// Begins the call of a stream, which gets it; see sp_stream_open().
snakepit_err sp_pool_begin_stream(struct sp_pool *pool,
                                  const struct sp_request_text *text,
                                  uint32_t timeout_ms,
                                  struct sp_stream *stream);
// Releases an ended call. Any time, also after sp_pool_close().
void sp_pool_release(struct sp_call *call);

// ---- Ends of calls (pool/settle.c) --------------------------------------------

// Appends the asynchronous calls that have ended to `ended`, by their `link`. The
// caller runs sp_call_open() on each, then its callback. Whether others ask: see
// sp_pool_serve_questions().
bool sp_pool_collect(struct sp_pool *pool, struct sp_link *ended);
// Cancels a submitted call or that of a stream. NOT_FOUND: there is no such call any
// more.
snakepit_err sp_pool_cancel(struct sp_pool *pool, uint64_t id);
// Says whether the workers must ring when an asynchronous call ends.
void sp_pool_set_asleep(struct sp_pool *pool, bool asleep);
// Makes what the worker left of an ended call readable: copies a large body, parses a
// fault.
void sp_call_open(struct sp_call *call);

// ---- Seats: loop thread (pool/seats.c) ----------------------------------------

// Says what the pool runs as, for its stats.
void sp_pool_set_shape(struct sp_pool *pool,
                       const char *profile,
                       uint32_t workers,
                       uint32_t threads);
// Remembers why a start failed, for those who wait for the pool.
void sp_pool_note_failure(struct sp_pool *pool, const char *why);
// Adds to the counters of starts and of unasked deaths.
void sp_pool_count_workers(struct sp_pool *pool, uint32_t starts, uint32_t deaths);
// Gives a worker a seat. It takes calls at once. NO_MEMORY.
snakepit_err sp_pool_add_seat(struct sp_pool *pool,
                              struct sp_port *port,
                              void *worker,
                              uint64_t worker_id,
                              struct sp_seat **seat);
// No more calls for this one.
void sp_pool_close_seat(struct sp_pool *pool, struct sp_seat *seat);
// True while the worker runs calls or may still read what was given up.
bool sp_pool_seat_is_busy(struct sp_pool *pool, struct sp_seat *seat);
// The worker is dead: calls that ran fail as `failure` says, those that did not go back
// to the line. PROTOCOL in it counts as a violation. Any thread. The seat is empty
// and closed afterwards; free it with sp_pool_remove_seat().
void sp_pool_seat_died(struct sp_pool *pool,
                       struct sp_seat *seat,
                       const struct sp_failure *failure);
void sp_pool_remove_seat(struct sp_pool *pool, struct sp_seat *seat);
// A session is over: its tie to a worker goes, with its last call.
void sp_pool_end_session(struct sp_pool *pool, const char *session, uint32_t size);
// Whether calls of a session wait or run.
bool sp_pool_runs_session(struct sp_pool *pool, const char *session, uint32_t size);
// Changes the state. DOWN and FAILED end every waiting call with POOL_DOWN or
// POOL_FAILED and `why`, which refuses calls from then on.
void sp_pool_set_state(struct sp_pool *pool, enum sp_pool_state state, const char *why);
// Lets calls wait again in a pool that is DOWN or FAILED. Any thread.
void sp_pool_retry(struct sp_pool *pool);

// What sp_pool_tick() wants done to a worker.
struct sp_pool_orders {
    // Ask the worker to cancel the call in a slot. False: ask again.
    bool (*cancel)(void *worker, uint64_t call, uint32_t slot);
    // Kill the worker. `why` is a constant text. `closing`: it was to leave anyway.
    void (*kill)(void *worker, const char *why, bool closing);
};

// Ends calls whose time is up, follows up on calls that were given up. Returns whether
// it wants to be called again, about ten milliseconds later. Loop thread.
bool sp_pool_tick(struct sp_pool *pool,
                  uint64_t now,
                  const struct sp_pool_orders *orders);

// ---- Between the files of this module -----------------------------------------

// What is to be done once the lock is released: bells to ring, callers to wake.
#define SP_AFTER_MOST 8
struct sp_after {
    const struct sp_call *self; // the caller's own call, which needs no wake; or NULL
    struct sp_port *own_port;   // that of `self`, which stays pinned
    uint32_t own_rings;         // calls that were put there
    struct sp_port *ports[SP_AFTER_MOST]; // one reference each
    uint32_t rings[SP_AFTER_MOST];        // calls that were put to each
    struct sp_call *calls[SP_AFTER_MOST];
    uint32_t port_count;
    uint32_t call_count;
    bool woke; // out: a bell woke somebody
};
// Releases the lock, then does it.
void sp_pool_unlock(struct sp_pool *pool, struct sp_after *after);

// All of these: lock held.
enum sp_placed {
    SP_PLACED,
    SP_NO_ROOM,  // every worker is busy, or there is none
    SP_UNLEASED, // there is room, but Python holds on to the tensors of too many calls
    SP_WAITS,    // its session's worker is busy: it belongs into that worker's own line
    SP_BUSY,     // the same, and it may not wait
    SP_LOST,     // its session's worker is gone
};
enum sp_placed
sp_pool_place(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
// Why a call that was not placed fails; NULL for one that was placed or has to wait.
const struct sp_failure *sp_pool_refusal(enum sp_placed placed);
// Ends a call that has just left its line if its time there is up; says whether.
bool sp_pool_end_if_late(struct sp_pool *pool,
                         struct sp_call *call,
                         struct sp_after *after);
// Whether the seat may take one more call, to run or in advance.
bool sp_pool_has_room(const struct sp_pool *pool, const struct sp_seat *seat);
void sp_pool_dispatch(struct sp_pool *pool, struct sp_after *after);
void sp_pool_end(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
// Fills in the fault of a call; where `failure` has no message, one of the pool's.
void sp_pool_tell(struct sp_call *call, const struct sp_failure *failure);
void sp_pool_fail_call(struct sp_pool *pool,
                       struct sp_call *call,
                       const struct sp_failure *failure,
                       struct sp_after *after);
void sp_pool_moved(struct sp_call *call, struct sp_after *after);
// Why no call is admitted now; OK: they are.
snakepit_err sp_pool_refuses(const struct sp_pool *pool);
void sp_pool_unplace(struct sp_pool *pool, struct sp_call *call);
void sp_pool_settle(struct sp_pool *pool, struct sp_call *call, struct sp_after *after);
void sp_pool_end_with_answer(struct sp_pool *pool,
                             struct sp_call *call,
                             struct sp_after *after);
void sp_pool_expire(struct sp_pool *pool,
                    struct sp_call *call,
                    uint64_t now,
                    struct sp_after *after);
void sp_pool_abandon(struct sp_pool *pool,
                     struct sp_call *call,
                     const struct sp_failure *failure,
                     struct sp_after *after);
// Ends a call that has not ended, wherever it is, with `err`.
void sp_pool_give_up(struct sp_pool *pool,
                     struct sp_call *call,
                     snakepit_err err,
                     struct sp_after *after);
// Waits for something to happen to a call that has not ended: a move, its end or its
// deadline, which are dealt with, or a chunk. The lock is released meanwhile.
void sp_pool_wait_once(struct sp_pool *pool,
                       struct sp_call *call,
                       struct sp_after *after);
void sp_pool_collect_seat(struct sp_pool *pool,
                          struct sp_seat *seat,
                          struct sp_after *after);
void sp_pool_take_returns(struct sp_pool *pool, struct sp_seat *seat);
void sp_pool_violation(struct sp_pool *pool, struct sp_seat *seat);
void sp_pool_fail_for_violation(struct sp_pool *pool,
                                struct sp_call *call,
                                struct sp_after *after);
void sp_pool_bury_orphan(struct sp_pool *pool,
                         struct sp_seat *seat,
                         struct sp_orphan *orphan,
                         bool held);
// After a slot was taken back: the worker has to pass it on.
void sp_pool_await_passing(struct sp_pool *pool, struct sp_seat *seat);
// A worker that takes nothing counts as loaded, so that it is not the first choice for
// the next call. `since`: CLOCK_MONOTONIC ns, or 0: it is not stuck.
void sp_pool_set_stuck(struct sp_pool *pool, struct sp_seat *seat, uint64_t since);
void sp_pool_reap_slot(struct sp_pool *pool,
                       struct sp_seat *seat,
                       uint32_t slot,
                       struct sp_after *after);
// No lock: drops a reference; the last one frees the pool.
void sp_pool_unref(struct sp_pool *pool);

#endif
