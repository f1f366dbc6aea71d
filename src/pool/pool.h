// SPDX-License-Identifier: MIT
// Many workers, one promise: a call that is admitted gets exactly one answer, whatever
// the workers do. The pool admits, lets wait, chooses a worker and answers; the lives
// of workers are the control plane's (fleet/fleet.h), which adds seats and takes
// them away.
//
// Any thread may call. The pool is freed when it was closed and the last answer was
// released.
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "base/names.h"
#include "config/config.h"
#include "pool/breaker.h"
#include "pool/call.h"
#include "pool/recent.h"
#include "pool/retry.h"
#include "pool/seat.h"
#include "pool/slow.h"
#include "pool/store.h"
#include "pool/tools.h"
#include "telemetry/figures.h"
#include "telemetry/histogram.h"

enum sp_pool_state {
    SP_POOL_STARTING, // has never been whole
    SP_POOL_READY,    // as many workers take calls as the pool must have
    SP_POOL_DEGRADED, // some do not
    SP_POOL_DOWN,     // none does, and their starts keep failing; see `failure`
    SP_POOL_FAILED,   // none can be started, and none is any more; see `failure`
    SP_POOL_STOPPING,
};

struct sp_question; // pool/question.h
struct sp_window;   // pool/window.h

// How the pool calls upwards. All but the last two run with the pool's lock held, on
// any thread: they only wake others.
struct sp_pool_hooks {
    void (*attention)(void *user); // sp_pool_tick() is wanted
    // A queue has news that no worker rings for.
    void (*ended)(void *user, uint32_t queue);
    void (*changed)(void *user); // the state has changed
    // A tool asks its host. May take long and call the pool. NULL: there are no tools.
    snakepit_err (*question)(void *user, struct sp_question *question);
    // Where a call is that a worker runs: Python's stack, in at most a millisecond.
    // Appends nothing where that cannot be known. Without the lock, on any thread.
    // NULL: it never can.
    void (*where)(void *user, uint64_t worker, uint64_t call, struct sp_buf *text);
    void *user;
};

// What is atomic is read without the lock, and may change; see sp_pool_retune().
struct sp_pool_options {
    const char *name; // borrowed for the life of the pool's owner; copied
    uint32_t max_queue;
    _Atomic uint32_t queue_timeout_ms; // 0: none
    _Atomic uint32_t call_timeout_ms;  // 0: none
    _Atomic uint32_t cancel_grace_ms;
    uint32_t prefetch; // UINT32_MAX: by the observed service time
    uint64_t shared_memory_size;
    bool payloads_hidden;  // core dumps leave the requests out
    uint32_t slow_call_ms; // 0: none is
    bool elastic; // its number of workers follows the work: calls that wait are news
    // Its one seat is a daemon, which tells faults and limits of time by itself; so
    // calls are given up here only so many ms later than they are to end.
    bool relays;
    const char *daemon; // its socket's path, which outlives the pool
    uint32_t slack_ms;
    uint32_t index; // in the pit: goes into the ids of calls
    enum sp_affinity affinity;
    uint32_t max_sessions;       // whose ties are kept
    uint64_t session_ttl_ms;     // 0: ties do not expire
    struct sp_hash_key hash_key; // random
    struct sp_retry_terms retry;
    struct sp_breaker_terms breaker;
};

// What happens to a worker and is counted.
enum sp_counted {
    SP_COUNTED_STARTS,
    SP_COUNTED_FAILED_STARTS,
    SP_COUNTED_DEATHS,   // that nobody asked for; see sp_pool_count_death()
    SP_COUNTED_RECYCLES, // see sp_pool_count_recycle()
    SP_COUNTED_ISOLATIONS,
    SP_COUNTED_FAILED_CHECKS, // of its health
    // To all of them.
    SP_COUNTED_SWITCHES,        // they have made room for such of the other profile
    SP_COUNTED_SWITCHES_UNDONE, // of these, back, since the one before gained nothing
};
#define SP_COUNTED 8

#define SP_STOPS (SNAKEPIT_STOP_KILLED + 1)

struct sp_pool_counters {
    uint64_t ended[SP_ERRORS];      // calls, by their outcome
    uint64_t stopped[SP_STOPS];     // of these, given up and ended, by what ended them
    uint64_t stop_total_us;         // that they ran on after they were due
    uint64_t stop_max_us;           // the longest of them
    uint64_t workers[SP_COUNTED];   // what has happened to them
    uint64_t deaths[SP_DEATHS];     // of them, by how they ended
    uint64_t recycles[SP_RECYCLES]; // by why
    uint64_t questions;             // that tools have asked their host
    uint64_t violations;            // workers that broke the protocol and were killed
    uint64_t retries;               // attempts after the first one of their call
    uint64_t retries_refused;       // that the budget did not allow
};

struct sp_pool; // pool/inside.h

// NO_MEMORY, SYSTEM, which `why` explains. `log` is borrowed.
snakepit_err sp_pool_open(const struct sp_pool_options *options,
                          const struct sp_pool_hooks *hooks,
                          const struct sp_log *log,
                          struct sp_pool **pool,
                          snakepit_message *why);
// Refuses new calls from now on with SHUTTING_DOWN; calls that were admitted go on.
void sp_pool_begin_close(struct sp_pool *pool);
// The same with POOL_REMOVED, which is also what ends calls that sp_pool_end_all()
// ends.
void sp_pool_begin_removal(struct sp_pool *pool);
// Takes calls again, under other options. It must have been removed, and have neither
// seats nor calls that have not ended.
void sp_pool_reopen(struct sp_pool *pool, const struct sp_pool_options *options);
// Whether it was opened as `options` say, in what cannot change.
bool sp_pool_could_be(const struct sp_pool *pool,
                      const struct sp_pool_options *options);
// Takes over what may change in an open pool: limits of time, `max_queue`, `prefetch`,
// `elastic`, `retry` and `breaker`. For calls that are admitted from now on.
void sp_pool_retune(struct sp_pool *pool, const struct sp_pool_options *options);

// What the pool is and does at one moment.
struct sp_pool_view {
    enum sp_pool_state state;
    snakepit_err refuses; // what a new call would be refused with; OK: nothing
    const char *profile;  // constant text
    uint32_t workers;     // configured
    uint32_t threads;     // calls that one worker runs at once
    uint32_t seats;       // workers that take calls
    uint32_t running;     // calls, also those that were given up and go on
    uint32_t stopping;    // just those
    uint32_t waiting;
    uint32_t shared;   // of these, those that any worker could take; at most 1024
    uint32_t held;     // of `running`, those that wait in their worker: pool/held.h
    uint32_t spared;   // executors that those which run do without, for some run as one
    uint32_t breakers; // that are not closed
    bool fails_to_start; // the last start has failed, and no worker has come since
    struct sp_pool_counters counters;
};
// Also why the last start failed, or why the pool is FAILED; or an empty text.
// `failure` may be NULL.
void sp_pool_look(struct sp_pool *pool,
                  struct sp_pool_view *view,
                  snakepit_message *failure);
// How long calls waited for a worker, and how long tools ran, so far.
void sp_pool_times(struct sp_pool *pool,
                   struct sp_histogram *line,
                   struct sp_histogram *run);
// Adds how long those calls were in the line whose time was up there, and how long
// tools ran whose calls were given up or died with their workers; what streams ran adds
// to the sum alone. Returns how many have left the line so, ever.
uint64_t sp_pool_join_lost(struct sp_pool *pool,
                           struct sp_histogram *line,
                           struct sp_histogram *run);
// All else that is told of it and that only it knows: what has become of its workers,
// and what its calls have carried and hold.
void sp_pool_figures(struct sp_pool *pool, struct sp_figures *figures);
// Rows that sp_pool_tools() has now. There may be more later, but never fewer.
uint32_t sp_pool_tool_count(struct sp_pool *pool);
// Fills at most `room` rows, one for each tool that has run, the last one for all other
// names. Returns how many.
uint32_t
sp_pool_tools(struct sp_pool *pool, struct sp_tool_figures *rows, uint32_t room);
// The breaker of a tool. What is not there is "" and 0.
struct sp_breaker_row {
    char tool[256]; // cut, if it is longer
    enum sp_breaker_state state;
    uint32_t failures;
    uint32_t retry_after_ms;
};
typedef void
sp_breaker_row_fn(void *user, size_t index, const struct sp_breaker_row *row);
// Hands over a row for each, the one that failed last at the end, with the pool's lock
// held. Returns how many there are.
size_t sp_pool_breakers(struct sp_pool *pool, sp_breaker_row_fn *put, void *user);
// For the life of the pool.
const char *sp_pool_name(const struct sp_pool *pool);
struct sp_store *sp_pool_store(struct sp_pool *pool);
// The processor on which the last submitted call ended.
uint32_t sp_pool_peer_cpu(const struct sp_pool *pool);
struct sp_worker_load {
    uint32_t calls;
    uint32_t stuck;  // of these, given up and not ended in time
    uint64_t handed; // calls that it was given so far
};
// The calls that a worker has; none: it has no seat.
struct sp_worker_load sp_pool_load_of(struct sp_pool *pool, uint64_t worker_id);
// What is known of a call that a worker runs; zeroed: the worker has no such call.
struct sp_call_told {
    char tool[SP_TOOL_NAME_MAX + 1]; // fit for a log
    bool stuck;                      // it was given up, and has not ended in time
};
void sp_pool_tell_call(struct sp_pool *pool,
                       uint64_t worker_id,
                       uint64_t call,
                       struct sp_call_told *told);
// The number of the first call of a worker that was given up and has not ended in time,
// how long ago that was, and what is known of it; 0: there is none.
uint64_t sp_pool_tell_stuck(struct sp_pool *pool,
                            uint64_t worker_id,
                            struct sp_call_told *told,
                            uint64_t *since_ms);
// Calls that could begin at once, in workers that have an executor for them.
uint32_t sp_pool_free_places(struct sp_pool *pool);
// Executors that run something, as their workers say.
uint32_t sp_pool_busy_executors(struct sp_pool *pool);
// What an executor does now, as its worker says.
enum sp_executor_state {
    SP_EXECUTOR_ABSENT, // it takes no calls
    SP_EXECUTOR_IDLE,
    SP_EXECUTOR_RUNNING,
    SP_EXECUTOR_ASKING,   // its tool waits for its host
    SP_EXECUTOR_STOPPING, // its call was given up, and goes on
    SP_EXECUTOR_STUCK,    // longer than it may
};
struct sp_executor_row {
    uint64_t worker;
    uint32_t executor;
    enum sp_executor_state state;
    uint64_t call;                   // 0: it runs none
    uint64_t running_us;             // how long
    uint64_t waited_us;              // for a worker, before that
    char tool[SP_TOOL_NAME_MAX + 1]; // fit for a log; empty: it is not known
};
typedef void
sp_executor_row_fn(void *user, size_t index, const struct sp_executor_row *row);
// Hands over a row for each executor of a worker, or, with 0, of all that have a seat,
// with the pool's lock held. Returns how many there are.
size_t sp_pool_executors(struct sp_pool *pool,
                         uint64_t worker_id,
                         sp_executor_row_fn *put,
                         void *user);

// Takes the calls that are to be told as slow: that run longer than `slow_call_ms` now,
// or have since this was called last. Returns how many.
uint32_t sp_pool_take_slow(struct sp_pool *pool,
                           struct sp_slow_call rows[SP_SLOW_MOST]);

// ---- Those under way, and those that have ended last (pool/calls.c) ------------

enum sp_call_stage {
    SP_STAGE_LINE,   // it waits for a worker
    SP_STAGE_WORKER, // one has it, and has not begun it
    SP_STAGE_RUNNING,
    SP_STAGE_STOPPING, // it was given up, and its tool still runs
};
// A call that has not ended, or whose tool has not.
struct sp_call_row {
    uint64_t call;
    enum sp_call_stage stage;
    uint64_t worker;   // 0: none
    uint16_t executor; // or SP_EXECUTOR_NONE
    uint64_t since_us; // how long it has been in its stage; 0: that is not known
    uint64_t deadline; // CLOCK_MONOTONIC ns, or SP_NEVER
    uint32_t retries;
    uint32_t priority;
    bool streams;
    char tool[SP_TOOL_NAME_MAX + 1]; // both fit for a terminal
    char session[SP_SESSION_MAX + 1];
};
// Fills at most `room` rows, those that run first. Returns how many calls there are.
size_t sp_pool_calls(struct sp_pool *pool, struct sp_call_row *rows, size_t room);

// Whether all that end are noted, not only those that fail or are slow. NO_MEMORY.
snakepit_err sp_pool_record(struct sp_pool *pool, bool on);
// See sp_recent_copy() and sp_recent_copy_kept().
size_t
sp_pool_ended(struct sp_pool *pool, uint64_t after, struct sp_ended *rows, size_t room);
size_t sp_pool_kept(struct sp_pool *pool,
                    uint64_t after,
                    struct sp_kept_call *rows,
                    size_t room);

// True while calls that were admitted have not ended.
bool sp_pool_is_busy(struct sp_pool *pool);
// True once new calls are refused.
bool sp_pool_is_closing(struct sp_pool *pool);
// True while tools run whose calls were given up, so that they can clean up; a worker
// that does not get to it is killed after cancel_grace_ms.
bool sp_pool_awaits_tools(struct sp_pool *pool);
// Ends all calls that have not ended, with SHUTTING_DOWN or POOL_REMOVED.
void sp_pool_end_all(struct sp_pool *pool);
// The owner's last word: no seats, no unended calls. Frees the pool with its last
// answer.
void sp_pool_close(struct sp_pool *pool);

// ---- Calls (pool/admit.c) -----------------------------------------------------

// What a program asks for. Borrowed, but for the callback and its user.
struct sp_order {
    struct sp_request_text text;
    uint32_t timeout_ms; // 0: the pool's
    bool idempotent;     // it may be run twice
    bool begun;          // its time began with the program, which has read it somewhere
    struct sp_spans *spans; // where its trace is recorded; NULL: it is not
    uint32_t priority;      // 0 to SNAKEPIT_MAX_PRIORITY

    // Of a call that is submitted.
    sp_call_done_fn *done;
    void *user;
    uint64_t *id;          // NULL, or where its id goes
    snakepit_message *why; // NULL, or where a refusal is explained

    // Of a stream that reports.
    snakepit_ready_fn *ready; // NULL: it does not
    void *ready_user;

    uint8_t queue; // of both
    // Of both: who is asked what their tool asks the host; NULL: the pool's hook.
    sp_call_asks_fn *asks;
    void *asks_user;
};

// Runs a call and waits for its end. `*answer` is to be released; NULL only with
// NO_MEMORY. Returns the call's outcome.
snakepit_err sp_pool_call(struct sp_pool *pool,
                          const struct sp_order *order,
                          struct sp_call **answer);
// Hands a call over; see snakepit_submit().
snakepit_err sp_pool_submit(struct sp_pool *pool, const struct sp_order *order);
// Releases an ended call. Any time, also after sp_pool_close().
void sp_pool_release(struct sp_call *call);

// ---- Ends of calls (pool/collect.c, pool.c, open.c) ---------------------------

// What there is to report to a queue.
struct sp_pool_news {
    struct sp_link ended; // submitted calls, by their `link`: run sp_call_open() on
                          // each, then its callback
    uint32_t readable;    // see sp_stream_take_readable()
    bool asked;           // see sp_pool_serve_questions()
    uint64_t heard;       // of all queues: counts up while workers have anything to say
};
// Adds what the pool has for a queue. One thread at a time for each queue.
void sp_pool_collect(struct sp_pool *pool, uint32_t queue, struct sp_pool_news *news);
// Whether calls or streams report to a queue and have not done so, or are not closed.
bool sp_pool_queue_is_used(struct sp_pool *pool, uint32_t queue);
// Cancels a submitted call or that of a stream. NOT_FOUND: there is no such call any
// more.
snakepit_err sp_pool_cancel(struct sp_pool *pool, uint64_t id);
// Has the workers ring for the next news of a queue. They do not ring for what is there
// already.
void sp_pool_ring_for(struct sp_pool *pool, uint32_t queue);
// Makes what the worker left of an ended call readable: copies a large body, parses a
// fault.
void sp_call_open(struct sp_call *call);

// ---- Seats: loop thread (pool/seats.c, check.c, pool.c, tick.c)
// ------------------------

// Says what the pool runs as, for its stats.
void sp_pool_set_shape(struct sp_pool *pool,
                       const char *profile,
                       uint32_t workers,
                       uint32_t threads);
// How many workers there are to be from now on.
void sp_pool_set_workers(struct sp_pool *pool, uint32_t workers);
// Counts a start that failed, and remembers why, for those who wait for the pool.
void sp_pool_note_failure(struct sp_pool *pool, const char *why);
// Counts what has happened to a worker.
void sp_pool_count_worker(struct sp_pool *pool, enum sp_counted what);
void sp_pool_count_death(struct sp_pool *pool, enum sp_death how);
void sp_pool_count_recycle(struct sp_pool *pool, enum sp_recycle why);
uint64_t sp_pool_recycles(struct sp_pool *pool, enum sp_recycle why);
// A worker has been ready so many ns after its start began.
void sp_pool_note_start(struct sp_pool *pool, uint64_t ns);
// Whom a seat is for.
struct sp_seat_terms {
    struct sp_port *port;
    void *worker; // the control plane's
    uint64_t worker_id;
    uint64_t requests; // calls that it may be given; 0: any number
    // The names of its tools that may be called once more, each behind its size in one
    // byte. Borrowed.
    struct sp_slice idempotent;
    // Those that take many calls at once, likewise, and behind each how many, in four
    // bytes.
    struct sp_slice batches;
};
// Gives a worker a seat. It takes calls at once. NO_MEMORY.
snakepit_err sp_pool_add_seat(struct sp_pool *pool,
                              const struct sp_seat_terms *terms,
                              struct sp_seat **seat);
// No more calls for this one.
void sp_pool_close_seat(struct sp_pool *pool, struct sp_seat *seat);
// The same for a worker that begins no further call: those that it has not begun go
// back to the line, those that it runs go on.
void sp_pool_empty_seat(struct sp_pool *pool, struct sp_seat *seat);
// True while the worker runs calls or may still read what was given up.
bool sp_pool_seat_is_busy(struct sp_pool *pool, struct sp_seat *seat);
// The worker is dead: calls that were running fail as `failure` says, those that had
// not begun go back to the line. PROTOCOL in it counts as a violation. Any thread. The
// seat is empty and closed afterwards; free it with sp_pool_remove_seat().
void sp_pool_seat_died(struct sp_pool *pool,
                       struct sp_seat *seat,
                       const struct sp_failure *failure);
// Whether a check of sp_pool_check_seat() was still running when the worker died: in
// time, which counts as one that has failed, or late.
bool sp_pool_seat_died_in_check(struct sp_pool *pool, struct sp_seat *seat);
void sp_pool_remove_seat(struct sp_pool *pool, struct sp_seat *seat);
// Has the worker of a seat run a tool without arguments, beside its calls and as one of
// them, but counted in no statistics and never moved to another worker. Its time begins
// when an executor takes it; it cannot ask its host. sp_pool_tick() tells how it has
// ended, unless the seat is removed before. WORKER_BUSY: the worker takes none now, or
// one is under way. NO_MEMORY.
snakepit_err sp_pool_check_seat(struct sp_pool *pool,
                                struct sp_seat *seat,
                                const char *tool,
                                uint32_t timeout_ms);
// A session is over: its tie to a worker goes, with its last call.
void sp_pool_end_session(struct sp_pool *pool, const char *session, uint32_t size);
// Whether calls of a session wait or run.
bool sp_pool_runs_session(struct sp_pool *pool, const char *session, uint32_t size);
// Of a pool that relays: no daemon takes its calls from now on, or one does.
void sp_pool_set_daemon(struct sp_pool *pool, bool takes_calls);
// Changes the state. DOWN and FAILED end every waiting call with POOL_DOWN or
// POOL_FAILED and `why`, which refuses calls from then on.
void sp_pool_set_state(struct sp_pool *pool, enum sp_pool_state state, const char *why);
// Ends every waiting call.
void sp_pool_fail_waiting(struct sp_pool *pool, snakepit_err err, const char *why);
// Lets calls wait again in a pool that is DOWN or FAILED. Any thread.
void sp_pool_retry(struct sp_pool *pool);

// What sp_pool_tick() wants done to a worker.
struct sp_pool_orders {
    // Ask the worker to cancel the call in a slot. False: ask again.
    bool (*cancel)(void *worker, uint64_t call, uint32_t slot);
    // The worker was given all the calls that it may be given. Once.
    void (*spent)(void *worker);
    // A call was given up, and did not end within cancel_grace_ms after that. Once for
    // a worker, and once more when it is `alone`: it runs none but such calls.
    void (*stuck)(void *worker, bool alone);
    // A check of sp_pool_check_seat() has ended; the fault is borrowed.
    void (*checked)(void *worker, snakepit_err err, const snakepit_fault *fault);
    // Kill the worker, which is counted as `death`. `why` is a constant text.
    // `closing`: it was to leave anyway.
    void (*kill)(void *worker, enum sp_death death, const char *why, bool closing);
    // Have the worker map a window, or let go of it. False: ask again. With the pool's
    // lock held. NULL where there are none.
    bool (*map)(void *worker, const struct sp_window *window);
    bool (*unmap)(void *worker, const struct sp_window *window);
};

// Ends calls whose time is up, follows up on calls that were given up. Returns whether
// it wants to be called again, about ten milliseconds later. Loop thread.
bool sp_pool_tick(struct sp_pool *pool,
                  uint64_t now,
                  const struct sp_pool_orders *orders);

#endif
