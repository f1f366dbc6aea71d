// SPDX-License-Identifier: MIT
// Keeps a pool at its size: starts workers in batches, replaces those that die, backs
// off when they keep dying, and says FAILED with the reason when that has no end.
// Nothing else adds workers to a pool or takes them away. Everything here belongs to
// the loop thread, except where a comment says otherwise.
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "fleet/restart.h"
#include "fleet/user.h"
#include "pool/pool.h"
#include "process/worker.h"

struct sp_fleet;

// A place for one worker. Empty while the worker is NULL.
struct sp_post {
    struct sp_fleet *fleet;
    struct sp_worker *worker;
    uint64_t
        ready_at;   // CLOCK_MONOTONIC ns when its first call was answered; 0: not yet
    bool serving;   // counts as ready
    bool exec;      // its next worker is not to be forked
    bool dismissed; // we have told it to leave
};

struct sp_fleet_hooks {
    // Every worker is gone, after sp_fleet_stop(). Loop thread.
    void (*stopped)(void *user);
    // A seat's doorbell joins or leaves those that wake the one who drains. Any thread.
    void (*doorbell)(void *user, int fd, bool joins);
    void *user;
};

struct sp_fleet {
    struct sp_loop *loop;
    struct sp_watcher *watcher;
    const struct sp_log *log;
    struct sp_listener *listener;
    struct sp_inbox *inbox;
    const struct sp_config *config;
    const struct sp_pool_config *pool_config;
    struct sp_pool *pool;
    struct sp_fleet_hooks hooks;
    uint64_t *last_worker_id; // of the pit

    enum sp_profile profile; // after a fallback
    uint32_t size;           // posts
    uint32_t threads;
    struct sp_post *posts;
    uint32_t starting; // workers that are not ready yet
    uint32_t ready;
    uint32_t alive;   // workers that are not gone
    uint32_t leaving; // of these, have exited and hold no post any more
    struct sp_restart restart;
    struct sp_user user; // who the program was when it started them
    bool falling_back;   // workers are leaving to come back as processes
    uint64_t leave_at;   // whatever they run; CLOCK_MONOTONIC ns
    bool gil_told;       // that threads take turns
    bool warned;         // of an adapter that does not declare itself
    bool stopping;
    bool failed;
    bool down;                    // no worker is ready, and starts keep failing
    struct sp_template *template; // nursery.c; NULL: there is none now
    bool template_given_up;       // for this pool's adapter, interpreter and profile
    bool fork_was_ready;          // a forked worker was ready once
    uint32_t template_deaths;     // since a forked worker was ready
    uint64_t template_at;         // not to be started again before; CLOCK_MONOTONIC ns
    struct sp_timer timer;        // the next batch, after a delay or a back-off
    struct sp_task stop_check;    // whether it has stopped already
    bool stopped;                 // which it has told
    int requests;                 // read-only descriptor of the store's segment
    struct sp_buf first_message;
    char **environment; // NAME=value, NULL at the end

    pthread_mutex_t rows_lock; // guards the rest: what others may see of the posts
    snakepit_worker_info *rows;
    size_t row_count;
};

// What the pit gives every fleet. Borrowed for its life.
struct sp_fleet_options {
    struct sp_loop *loop;
    struct sp_watcher *watcher;
    const struct sp_log *log;
    struct sp_listener *listener;
    struct sp_inbox *inbox;
    const struct sp_config *config;
    const struct sp_pool_config *pool_config;
    struct sp_pool *pool;
    uint64_t *last_worker_id;
    struct sp_fleet_hooks hooks;
};

// Prepares; starts nothing. Not the loop thread yet. NO_MEMORY, SYSTEM.
snakepit_err sp_fleet_init(struct sp_fleet *fleet,
                           const struct sp_fleet_options *options,
                           snakepit_message *why);
void sp_fleet_start(struct sp_fleet *fleet);
// Stops all workers; `stopped` runs when the last one is gone.
void sp_fleet_stop(struct sp_fleet *fleet);
// Tries to start what is missing now: a pool that has failed begins anew, and one whose
// starts fail does not wait for its pause.
void sp_fleet_retry(struct sp_fleet *fleet);
// Runs what sp_pool_tick() orders; returns whether it wants another turn.
bool sp_fleet_tick(struct sp_fleet *fleet, uint64_t now);
// After `stopped`, when the loop has ended.
void sp_fleet_fini(struct sp_fleet *fleet);

// Gives `take` a row of snakepit_pool_workers() for each worker, in order; returns how
// many there are. Any thread.
typedef void
sp_worker_row_fn(void *user, size_t index, const snakepit_worker_info *row);
size_t sp_fleet_workers(struct sp_fleet *fleet, sp_worker_row_fn *take, void *user);

// ---- fleet/fleet.c, for nursery.c and fallback.c --------------------------

// Fills empty posts as far as anything allows it now.
void sp_fleet_start_more(struct sp_fleet *fleet);
// Goes on with a stop: the template, when all workers are gone, then `stopped`.
void sp_fleet_check_stopped(struct sp_fleet *fleet);
// Posts that are filled.
uint32_t sp_fleet_manned(const struct sp_fleet *fleet);
// Tells one worker to leave, whose place is not to be filled because of that.
void sp_fleet_dismiss(struct sp_fleet *fleet, struct sp_post *post);
// Tells all workers to leave.
void sp_fleet_stop_workers(struct sp_fleet *fleet);
// Gives the pool up, until sp_fleet_retry().
void sp_fleet_fail(struct sp_fleet *fleet, const char *why);

// ---- fleet/failures.c ----------------------------------------------------------

#define SP_REASON_MAX 1280u

// A start that came to nothing.
struct sp_failed_start {
    uint64_t began; // when; CLOCK_MONOTONIC ns
    enum sp_start_failure failure;
    const char *what; // happened, as the text about the pool says it
    const char *reason;
};

// The first line of `text` in double quotes, for a line of the log; returns `room`.
const char *sp_fleet_quote_line(const char *text, char *room, size_t size);

// Counts and logs it; what follows is a pause, a pool that is down, or one that has
// failed.
void sp_fleet_note_failed_start(struct sp_fleet *fleet,
                                const struct sp_failed_start *failed);
// Fills empty posts after so long, unless that is planned already.
void sp_fleet_start_later(struct sp_fleet *fleet, uint64_t ms);
// Whether the program is who it was when it started its workers. If not, it may not be
// able to stop them, and new ones would have other rights than the program opened the
// pit with, so that the pool has failed.
bool sp_fleet_is_same_user(struct sp_fleet *fleet);

// ---- fleet/fallback.c ----------------------------------------------------------

// Makes the posts of a profile, all empty. NO_MEMORY.
snakepit_err sp_fleet_set_profile(struct sp_fleet *fleet,
                                  enum sp_profile profile,
                                  uint32_t size,
                                  uint32_t threads);
// Why this worker cannot run threads in parallel; NULL if it can.
const char *sp_fleet_unsupported(const struct sp_fleet *fleet,
                                 const struct sp_worker *worker);
// Has all workers leave when they have done what they run, so that processes take their
// places; or fails the pool, as `on_unsupported` says.
void sp_fleet_begin_fallback(struct sp_fleet *fleet,
                             const struct sp_worker *worker,
                             const char *why);
// The worker runs, and the GIL has come back: what an import of a tool may do.
void sp_fleet_gil_is_back(struct sp_fleet *fleet, const struct sp_worker *worker);
// Tells, once, that threads take turns, where the pool allows that.
void sp_fleet_note_gil(struct sp_fleet *fleet, const struct sp_worker *worker);
// All have left.
void sp_fleet_end_fallback(struct sp_fleet *fleet);

// ---- fleet/nursery.c -----------------------------------------------------------

// Whether posts can be filled now. Starts the template if one is wanted; false: it is
// to be waited for, and sp_fleet_start_more() is called then.
bool sp_fleet_template_is_settled(struct sp_fleet *fleet);
// What forks the next worker; NULL: it is exec'ed.
struct sp_template *sp_fleet_template(struct sp_fleet *fleet);
// A worker is ready: if it was forked, that works.
void sp_fleet_credit_template(struct sp_fleet *fleet, const struct sp_worker *worker);
// Judges the failed start of a worker. If it was forked and none that was ever got
// ready, the template is given up. True: the start does not count, for the pool might
// fail where it would work without a template.
bool sp_fleet_blames_template(struct sp_fleet *fleet, const struct sp_worker *worker);

// ---- fleet/worker_spec.c -------------------------------------------------------

// Everything but the hooks, the template and `config`, for the worker of post `index`.
void sp_fleet_describe_worker(struct sp_fleet *fleet,
                              uint32_t index,
                              struct sp_worker_options *options);
// Into fleet->first_message. NO_MEMORY.
snakepit_err sp_fleet_write_first_message(struct sp_fleet *fleet, uint64_t worker);
// Why the start of a worker failed, in words.
void sp_fleet_describe_failure(struct sp_worker *worker, char *text, size_t size);
// Copies what other threads may see of the posts.
void sp_fleet_publish(struct sp_fleet *fleet);

#endif
