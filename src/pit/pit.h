// SPDX-License-Identifier: MIT
// One open Snakepit: all the pools of one configuration, the loop thread that owns
// their workers' lives, and whatever runs the callbacks of submitted calls.
#ifndef PIT_PIT_H
#define PIT_PIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "base/fork.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "fleet/fleet.h"
#include "ipc/channel.h"
#include "pit/growth.h"
#include "pit/host_tools.h"
#include "pit/log.h"
#include "pit/past.h"
#include "pit/queue.h"
#include "pit/told.h"
#include "pool/lane.h"
#include "pool/pool.h"
#include "port/watcher.h"
#include "remote/circuit.h"
#include "session/sessions.h"

#define SP_PIT_MAGIC 0x74697021u

#define SP_PIT_POOLS_MOST (SP_CALL_ID_POOL_MASK + 1) // also those that were removed

// What becomes of a pool that is removed, one after the other.
enum sp_pit_pool_phase {
    SP_PIT_POOL_OPEN,        // it is not
    SP_PIT_POOL_FINISHING,   // its calls end, until `end_at`
    SP_PIT_POOL_CLEANING_UP, // tools do, whose calls were given up
    SP_PIT_POOL_STOPPING,    // its workers leave
    SP_PIT_POOL_REMOVED,     // nothing is left of it but its memory
};

struct sp_pit_pool {
    struct sp_pool *pool;
    struct sp_fleet fleet;      // its workers; of a connected pit zeroed
    struct sp_circuit *circuit; // to the daemon's pool; owned. NULL: it has workers
    // Why the daemon's pool has not the workers that it should have; or "". Guarded by
    // `reload_lock` of the pit.
    snakepit_message remote_reason;
    // What the daemon says of that.
    _Atomic bool remote_ready;
    _Atomic bool remote_serves;
    _Atomic bool remote_refuses;
    _Atomic bool removed;                 // from the beginning of that on
    _Atomic enum sp_pit_pool_phase phase; // changed by the loop thread
    uint64_t end_at;                      // owner: loop thread
    _Atomic bool retry;                   // the loop is to start what is missing
    _Atomic bool asked;                   // and what sp_fleet_do_what_is_asked() does
    struct sp_past past;                  // has a lock of its own
    struct sp_growth growth;              // likewise
};

// All queues.
struct sp_queues {
    struct snakepit_queue standard; // the default queue
    // By their number; NULL: none. Written with the lock held.
    _Atomic(struct snakepit_queue *) of[SP_QUEUES_MOST];

    pthread_mutex_t lock; // guards the rest
    bool closed;          // none is made any more
    int *bells;           // doorbells of the workers that have seats; see bells.c
    size_t bell_count;
    size_t bell_room;
};

// Who drains the default queue. Guarded by lock.
struct sp_drain {
    pthread_mutex_t lock;
    bool owned;   // the program drains
    bool running; // the library's thread does
    bool stop;
    bool closing; // for good: a callback that submits starts no thread any more
    pthread_t thread;
    bool answering;      // the library's second thread runs, for tools of the host
    bool asked;          // it has something to do
    pthread_t answerer;  // see `answering`
    pthread_cond_t news; // of `asked` and `stop`
};

struct sp_reload; // reload.h

// Constant after it was opened, but for what is atomic or has an owner of its own.
struct snakepit {
    uint32_t magic;
    uint32_t process; // sp_fork_here(): whose it is
    struct sp_log log;
    struct sp_log_writer *log_writer; // where `log` leads; NULL: there are no lines
    struct sp_pit_outlets outlets;    // where that leads
    struct sp_watcher *watcher;       // NULL where the kernel cannot
    bool connected;                   // its pools are those of `daemon`
    struct sp_daemon *daemon;
    bool reconnects;           // a daemon that was lost is looked for
    struct sp_told_texts told; // that the daemon has told of its pools
    uint64_t remote_memory;    // bytes for the requests of each of its pools
    struct sp_spans *spans;    // where calls are traced; NULL: nobody wants that

    // Places for SP_PIT_POOLS_MOST pools; those below `count` are constant.
    struct sp_pit_pool **pools;
    _Atomic size_t count;
    _Atomic(struct sp_pit_pool *) default_pool; // NULL without pools

    pthread_mutex_t reload_lock;        // guards the next three; one reload at a time
    struct sp_config *config;           // as it was read last
    size_t made;                        // pools; those beyond `count` are not seen yet
    bool closing;                       // nothing is reloaded any more
    _Atomic uint32_t waiters;           // threads that wait for its pools to be ready
    _Atomic(struct sp_reload *) reload; // for the loop; NULL: there is none

    _Atomic uint32_t recorders; // who want all calls that end to be noted
    _Atomic uint32_t changes;   // futex: some pool's state has changed
    struct sp_queues queues;
    struct sp_drain drain;
    struct sp_hash_key hash_key;              // of all tables of sessions
    struct sp_sessions sessions;              // has a lock of its own
    struct sp_host_tools tools;               // has a lock of its own
    snakepit_session_ended_fn *session_ended; // or NULL
    void *session_user;

    // The loop. Owner: loop thread.
    struct sp_loop loop;
    pthread_t thread;
    bool thread_made;
    uint64_t last_worker_id;
    size_t fleets_stopped;
    struct sp_timer tick;
    struct sp_timer sessions_sweep;
    struct sp_timer tidy;
    struct sp_listener listener;
    struct sp_inbox inbox;
    struct sp_event_sink events; // where it leads
    uint64_t quiet_since;
    _Atomic bool ticking;
    _Atomic bool stop;
};

// Whether this process has opened it; a forked child has not, and touches nothing of it
// that others share.
static inline bool sp_pit_is_here(const snakepit *pit)
{
    return sp_fork_is_here(pit->process);
}

// Whether its pools are a daemon's, and `config` is NULL. The client library has no
// others: there the compiler leaves out what keeps workers.
#ifdef SNAKEPIT_CLIENT_ONLY
// Macros, since those are left out without optimising as well.
// NOLINTBEGIN(readability-identifier-naming): elsewhere they are functions
#define sp_pit_is_connected(pit)     ((void)(pit), true)
#define sp_pit_pool_is_remote(place) ((void)(place), true)
// NOLINTEND(readability-identifier-naming)
#else
static inline bool sp_pit_is_connected(const snakepit *pit)
{
    return pit->connected;
}
static inline bool sp_pit_pool_is_remote(const struct sp_pit_pool *place)
{
    return place->circuit != NULL;
}
#endif

// ---- options.c ----------------------------------------------------------------

// The options in `given` (NULL stays NULL) as this library knows them, in `known`
// bytes: `given` itself or, if it is of another size, a copy in `room`. With `*wrong`
// set, a sentence, they are not valid options.
const void *
sp_options_read(const void *given, size_t known, void *room, const char **wrong);

// Whether a program has set the `size`, a size_t, with which its struct begins.
bool sp_struct_is_sized(const void *given);
// Writes a struct of this library into that of a program: as much as both know, zeros
// for the rest. False: it has no valid size, and nothing was written.
bool sp_struct_write(void *given, const void *filled, size_t known);

// ---- loop.c -------------------------------------------------------------------

// Starts the loop thread, which starts the pools. SYSTEM.
snakepit_err sp_pit_start_loop(snakepit *pit, snakepit_message *why);
// Stops all workers and waits until the loop thread has ended.
void sp_pit_stop_loop(snakepit *pit);
// Of the loop: something for the tick, or the end.
void sp_pit_woken(void *user);
// sp_fleet_hooks.stopped: the loop ends with the last one.
void sp_pit_fleet_stopped(void *user);
// sp_pool_hooks.attention: something for the tick.
void sp_pit_attention(void *user);
// Has those look again who wait for pools to change. `user` is the pit. Any thread.
void sp_pit_changed(void *user);
// sp_sessions_hooks.wake: there are sessions that will expire.
void sp_pit_watch_sessions(void *user);

// ---- drain.c ------------------------------------------------------------------

void sp_drain_init(struct sp_drain *drain);
void sp_drain_fini(struct sp_drain *drain);
// Makes sure that somebody will drain the default queue. SYSTEM: no thread, which `why`
// explains. SHUTTING_DOWN.
snakepit_err sp_drain_ensure(snakepit *pit, snakepit_message *why);
// Ends the library's threads for good.
void sp_drain_finish(snakepit *pit);

// ---- queues.c -----------------------------------------------------------------

void sp_queues_init(struct sp_queues *queues);
// Makes the default queue. SYSTEM.
snakepit_err sp_queues_open(snakepit *pit, snakepit_message *why);
void sp_queues_fini(struct sp_queues *queues);
// All calls have ended: reports what is left, and lets go of the queues.
void sp_queues_close(snakepit *pit);
// sp_pool_hooks.ended: wakes whoever waits for the queue.
void sp_queues_wake(void *user, uint32_t number);

// ---- bells.c ------------------------------------------------------------------

// A doorbell joins or leaves those that there are. Any thread.
void sp_bells_change(void *user, int fd, bool joins);
// The queue hears this one no longer.
void sp_bells_ignore(const struct snakepit_queue *queue, int fd);
// The queue hears none any longer, unless something reports to it.
void sp_bells_leave(struct snakepit_queue *queue);
// It hears all of them again.
void sp_bells_join(struct snakepit_queue *queue);
// After something was begun that reports to a queue.
static inline void sp_bells_want(snakepit *pit, uint32_t number)
{
    struct snakepit_queue *queue = atomic_load(&pit->queues.of[number]);
    if (!atomic_load(&queue->hears)) {
        sp_bells_join(queue);
    }
}

// ---- pit.c --------------------------------------------------------------------

// UNSUPPORTED, explained, for what this machine cannot limit.
snakepit_err sp_pit_check_limits(const struct sp_config *config, snakepit_message *why);

// ---- opening.c ----------------------------------------------------------------

// A pit without pools, whose loop does not run yet. Takes `config`, which is
// NULL for one that is to be connected, with OK only; `ear` may be NULL. SYSTEM,
// NO_MEMORY, INVALID_ARGUMENT.
snakepit_err sp_pit_new(struct sp_config *config,
                        const snakepit_open_options *options,
                        const struct sp_pit_ear *ear,
                        snakepit **pit,
                        snakepit_message *why);
// Of one that could not be opened.
void sp_pit_abandon(snakepit *pit);

// What a pool is opened as, but for its `index`.
struct sp_pool_options sp_pit_pool_options(const snakepit *pit,
                                           const struct sp_config *config,
                                           const struct sp_pool_config *pool);
// Opens a pool that nobody sees yet, and that starts nothing. NO_MEMORY, SYSTEM.
snakepit_err sp_pit_open_pool(snakepit *pit,
                              struct sp_config *config,
                              const struct sp_pool_config *pool,
                              snakepit_message *why);

// ---- chosen.c -----------------------------------------------------------------

// Makes the default pool the one that the configuration says.
void sp_pit_choose_default_pool(snakepit *pit, const struct sp_config *config);
// Takes the spec.
void sp_pit_reopen_pool(snakepit *pit,
                        struct sp_pit_pool *place,
                        const struct sp_pool_options *options,
                        struct sp_fleet_spec *spec);

// ---- pools.c ------------------------------------------------------------------

// A place for a pool, which becomes the next one that is made. NO_MEMORY.
snakepit_err
sp_pit_new_place(snakepit *pit, struct sp_pit_pool **place, snakepit_message *why);
// How a pool calls the pit.
struct sp_pool_hooks sp_pit_pool_hooks(snakepit *pit);

// One tick of whoever fills the pool's seats. Returns whether it wants another one.
bool sp_pit_tick_pool(struct sp_pit_pool *place, uint64_t now);
// Loop thread: all that fill its seats leave; sp_pit_fleet_stopped() is told.
void sp_pit_stop_pool(struct sp_pit_pool *place);

// Frees those that nobody sees.
void sp_pit_drop_unseen_pools(snakepit *pit);
// Has all be seen.
void sp_pit_show_pools(snakepit *pit);
// The pit closes: their workers are gone.
void sp_pit_free_pools(snakepit *pit);

// The pool of that name (NULL: the default one) with its workers, or NULL. One that was
// removed only where there is no other one.
struct sp_pit_pool *sp_pit_find(const snakepit *pit, const char *name);
// Without them, as calls need it.
struct sp_pool *sp_pit_pool(const snakepit *pit, const char *name);
static inline bool sp_pit_pool_is_removed(const struct sp_pit_pool *place)
{
    return atomic_load_explicit(&place->removed, memory_order_relaxed);
}
// One that was removed long enough ago, and that can go on as `options` say; or NULL.
struct sp_pit_pool *sp_pit_find_removed(const snakepit *pit,
                                        const struct sp_pool_options *options);
// What follows: loop thread. Calls that have not ended at `end_at` are ended.
void sp_pit_begin_removal(struct sp_pit_pool *place, uint64_t end_at);
// Whether it wants to be called again.
bool sp_pit_go_on_removing(struct sp_pit_pool *place, uint64_t now);
// ---- renew.c ------------------------------------------------------------------

// Carries out the reload that waits for the loop, if there is one.
void sp_pit_serve_reload(snakepit *pit);

// ---- inspect.c ----------------------------------------------------------------

// Notes what a pool has done until now, once a minute. Loop thread.
void sp_pit_note_past(struct sp_pit_pool *place);
void sp_pit_note_growth(struct sp_pit_pool *place);

// ---- question.c ---------------------------------------------------------------

#define SP_RESERVED_TOOLS "snakepit."      // no program's tool begins so
#define SP_LIST_OF_TOOLS  "snakepit.tools" // {} -> {name: description}

// sp_pool_hooks.question: the sessions' tools, or those of the program.
snakepit_err sp_pit_question(void *user, struct sp_question *question);

// ---- call.c -------------------------------------------------------------------

// What the program wants called, and what becomes of that once it is checked.
struct sp_pit_request {
    const char *tool;
    const snakepit_writer *args;
    const snakepit_call_options *options;
    uint64_t begun; // CLOCK_MONOTONIC ns at which its time began; 0: when it is checked
    struct sp_trace_context trace; // out: where `order` has its own, if it has one
    bool waits; // a stream that reports to no queue, whatever its options say
    struct sp_order order; // out; borrows the above, but for `options`
};

// Checks a request, makes an order of it and uses its session. NULL: it was refused
// with `*err`, and `*refused` says why; that is NULL without memory.
struct sp_pool *sp_pit_order(snakepit *pit,
                             struct sp_pit_request *request,
                             snakepit_err *err,
                             struct sp_call **refused);

// An answer that says why there was no call; NULL without memory for it.
struct sp_call *sp_pit_refused(snakepit_err err, const char *message);
// snakepit_call() and snakepit_submit() of a request, whose order has the callback.
snakepit_err
sp_pit_call(snakepit *pit, struct sp_pit_request *request, snakepit_answer **answer);
snakepit_err sp_pit_submit(snakepit *pit, struct sp_pit_request *request);

// ---- terms.c ------------------------------------------------------------------

// What the configuration says, in the pool's own terms.
struct sp_retry_terms sp_pit_retry_terms(const struct sp_retry_keys *keys);
struct sp_breaker_terms sp_pit_breaker_terms(const struct sp_breaker_keys *keys);

// ---- stream.c -----------------------------------------------------------------

// snakepit_stream_open() of a request.
snakepit_err sp_pit_stream_open(snakepit *pit,
                                struct sp_pit_request *request,
                                snakepit_stream **stream);
// A stream that has failed, as the call says, which it takes; NULL without memory.
snakepit_stream *sp_pit_stream_refused(struct sp_call *refused);

// ---- session.c ----------------------------------------------------------------

// Before the pools: they share its hash key. `config` and what the program wants to be
// told are set.
void sp_pit_open_sessions(snakepit *pit);

#endif
