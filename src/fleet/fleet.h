// SPDX-License-Identifier: MIT
// Keeps a pool at its size: starts workers, replaces those that die, and says why where
// it cannot. Nothing else adds workers to a pool or takes them away. What is to be done
// is decided in plan.h; this carries it out.
//
// A fleet belongs to the loop thread from sp_fleet_start() until `stopped`, but for
// sp_fleet_workers(), sp_fleet_health() and one hook.
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/loop.h"
#include "config/config.h"
#include "fleet/mover.h"
#include "fleet/plan.h"
#include "fleet/spec.h"
#include "fleet/user.h"
#include "inspect/stacks.h"
#include "pool/pool.h"
#include "process/worker.h"
#include "telemetry/figures.h"

#define SP_HEALTH_TEXT_MAX 256u

struct sp_fleet;

struct sp_fleet_hooks {
    // Every worker is gone, after sp_fleet_stop() has returned. Once. Loop thread.
    void (*stopped)(void *user);
    // A seat's doorbell joins or leaves those that wake whoever drains. Any thread.
    void (*doorbell)(void *user, int fd, bool joins);
    void *user;
};

// What the pit gives every fleet. Borrowed for its life, but for the configuration,
// which is that of its spec: see sp_fleet_respec().
struct sp_fleet_options {
    struct sp_loop *loop;
    struct sp_watcher *watcher;
    const struct sp_log *log;
    struct sp_listener *listener;
    struct sp_inbox *inbox;
    struct sp_config *config;
    const struct sp_pool_config *pool_config;
    struct sp_pool *pool;
    uint64_t *last_worker_id; // of the pit
    struct sp_fleet_hooks hooks;
};

// What the health checks of a worker say.
struct sp_health {
    uint64_t begun;
    uint64_t checks;   // that have ended
    uint64_t failures; // of these
    uint64_t ended_at; // the last one; CLOCK_MONOTONIC ns; 0: there was none
    uint32_t failed;   // in a row
    char message[SP_HEALTH_TEXT_MAX]; // why the last one failed; or empty
};

// Of a fleet whose health checks take their workers along.
struct sp_check_pause {
    uint32_t deaths; // in a row; 0: checks end by themselves
    uint64_t until;  // none begins before; CLOCK_MONOTONIC ns
    const struct sp_occupant
        *probe; // nobody else is checked; NULL: the next one may be
};

// What was seen of a worker from outside, now and then; see fleet/figures.c. 0: not
// known.
struct sp_worker_figures {
    uint64_t memory; // as sp_worker_memory() says
    uint64_t share;  // as sp_worker_share() does
    uint32_t threads;
    uint64_t cpu_ns; // processor time that it has used so far
};

// Who is in a place of the plan.
struct sp_occupant {
    struct sp_fleet *fleet;
    uint32_t place;
    struct sp_worker *worker; // owned; NULL: nobody
    const char *device;       // that it was given; NULL: none. Kept by the fleet
    struct sp_timer check;    // when its health is looked at next
    struct sp_health health;  // of that worker
    // What mover.c has seen of it last; 0: nothing yet.
    uint64_t cpu_ns; // processor time that it has used
    uint64_t memory; // bytes
    struct sp_worker_figures figures;
};

// What other threads see of a place, and say of it.
struct sp_fleet_row {
    snakepit_worker_info info; // `id` 0: nobody is there
    bool recycle;              // its worker is to be replaced
    struct sp_port *port;      // its worker's, borrowed while the row names the worker
    struct sp_worker *worker;  // likewise
    struct sp_health health;
    uint64_t started_at; // CLOCK_MONOTONIC ns
    bool forked;         // its worker, by a template
};

#define SP_FLEET_DEATHS 64u // that are told; a power of two

// A worker that has ended.
struct sp_fleet_death {
    uint64_t worker;
    pid_t pid;
    bool expected;
    uint64_t ended_ms; // Unix time
    uint64_t age_ms;
    char cause[SP_CAUSE_MAX];
};

// A text that lives as long as its fleet.
struct sp_kept {
    struct sp_kept *next;
    char text[];
};

// Where the code of the workers came from.
struct sp_code {
    bool known;            // a worker has told
    bool fails;            // starts fail at present
    struct timespec since; // when the first of them was started; CLOCK_REALTIME
    struct sp_buf files;   // paths, each behind the other with its zero
};

// Owner: loop thread, but for what `rows_lock` guards. Constant: requests, and options
// but for the configuration.
struct sp_fleet {
    struct sp_fleet_options options;
    struct sp_fleet_plan plan;
    struct sp_fleet_actions actions;     // of the last step
    bool stepping;                       // it is being carried out
    struct sp_fleet_spec *spec;          // of workers that are started; one reference
    struct sp_occupant **occupants;      // one for each place; they stay where they are
    struct sp_template *template;        // owned; NULL: there is none
    struct sp_fleet_spec *template_spec; // what it was made from; one reference
    struct sp_worker_hooks worker_hooks; // fleet.c
    struct sp_template_hooks template_hooks;
    struct sp_user user;     // who the program was when it started them
    struct sp_timer timer;   // the plan's `wake_at`
    uint64_t wake_at;        // when it is due
    struct sp_task farewell; // calls `stopped`
    bool stopped;            // which has run
    struct sp_mover mover;   // of a pool with `adaptive_pooling`
    struct sp_check_pause check_pause;
    uint32_t seen;                  // the place that was looked at last,
    uint32_t shared;                // and the one whose share was,
    uint32_t looks;                 // of so many looks; see figures.c
    bool initialized;               // all workers have served once
    bool warned;                    // of an adapter that does not declare itself
    int requests;                   // read-only descriptor of the store's segment
    struct sp_buf first_message;    // what the next worker is told
    struct sp_buf fork_message;     // the same, if the template has the rest; or empty
    struct sp_buf template_message; // what the template was told of all workers
    struct sp_kept *kept;

    pthread_mutex_t rows_lock; // guards the rest: what others may see of the workers
    struct sp_fleet_row *rows; // one for each place
    size_t row_count;
    uint32_t fewest; // workers that the pool may be resized to
    uint32_t most;
    uint32_t wanted;   // it is to be resized to; 0: it is not
    uint32_t outdated; // workers that will make room for those of another spec
    struct sp_code code;
    struct sp_fleet_death deaths[SP_FLEET_DEATHS]; // a ring
    uint64_t death_count;                          // that were ever in it
    uint64_t lived_ms; // of workers that have ended, each times its executors
    uint64_t cpu_ns;   // processor time of all that was seen used
};

// Prepares; starts nothing. Before the loop thread runs. NO_MEMORY, SYSTEM.
snakepit_err sp_fleet_init(struct sp_fleet *fleet,
                           const struct sp_fleet_options *options,
                           snakepit_message *why);
void sp_fleet_start(struct sp_fleet *fleet);
// Stops all workers and the template; `stopped` runs when the last one is gone. For a
// fleet that is stopping already, this changes nothing.
void sp_fleet_stop(struct sp_fleet *fleet);
// Tries to start what is missing now: a pool that has failed starts over, and one whose
// starts fail does not wait for its pause.
void sp_fleet_retry(struct sp_fleet *fleet);
// Has a worker replaced, or, with 0, all of them; sp_fleet_do_what_is_asked() does it.
// False: there is no such worker. Any thread.
bool sp_fleet_ask_to_recycle(struct sp_fleet *fleet, uint64_t worker);
// Has the pool resized; likewise. False: it may not have so many workers. Any thread.
bool sp_fleet_ask_to_resize(struct sp_fleet *fleet, uint32_t workers);
// Carries that out.
void sp_fleet_do_what_is_asked(struct sp_fleet *fleet);
// Takes another spec: with `roll` the workers that there are make room for ones that
// are made from it, `why`; else they stay, and those that are started later are made
// from it. A pool that is down or has failed starts over. The rules of the plan are
// those of its configuration at once. NO_MEMORY: nothing has changed, and the spec is
// still the caller's. Not in a step: see sp_fleet_take_spec().
snakepit_err sp_fleet_respec(struct sp_fleet *fleet,
                             struct sp_fleet_spec *spec,
                             bool roll,
                             enum sp_recycle why);
// Runs what sp_pool_tick() orders; returns whether it wants another turn.
bool sp_fleet_tick(struct sp_fleet *fleet, uint64_t now);
// Looks at a few of its workers, to be called once a second.
void sp_fleet_look(struct sp_fleet *fleet);
// After `stopped` has run, starts again as the spec says, which it takes; there are
// posts for it, see sp_fleet_make_posts().
void sp_fleet_start_again(struct sp_fleet *fleet, struct sp_fleet_spec *spec);
// Makes sure that there are so many posts, or more. The new ones are empty; who is in
// the others stays. NO_MEMORY: nothing has changed.
snakepit_err sp_fleet_make_posts(struct sp_fleet *fleet, uint32_t posts);
// Whether `stopped` has run.
bool sp_fleet_has_stopped(const struct sp_fleet *fleet);
// After `stopped`, when the loop has ended; or if it was never started.
void sp_fleet_fini(struct sp_fleet *fleet);

// Gives `take` a row of snakepit_pool_workers() for each worker, in order; returns how
// many there are. Any thread.
typedef void
sp_worker_row_fn(void *user, size_t index, const snakepit_worker_info *row);
size_t sp_fleet_workers(struct sp_fleet *fleet, sp_worker_row_fn *take, void *user);
// How many workers have a process now, and what is known of their memory in bytes: of
// all, and of one on average; 0: nothing is. Any thread.
struct sp_fleet_memory {
    uint32_t processes;
    uint32_t forked; // of these, by a template
    uint64_t total;
    uint64_t each;
};
struct sp_fleet_memory sp_fleet_memory_now(struct sp_fleet *fleet);
// What its workers do now, and how old they are. NO_MEMORY. Any thread.
snakepit_err sp_fleet_lives(struct sp_fleet *fleet, struct sp_worker_lives *lives);
// Gives `take` the workers that have ended last, the newest first, with their numbers,
// which count from 1; returns how many it knows. Any thread.
typedef void sp_worker_death_fn(void *user,
                                size_t index,
                                uint64_t number,
                                const struct sp_fleet_death *death);
size_t sp_fleet_deaths(struct sp_fleet *fleet, sp_worker_death_fn *take, void *user);
// How long the executors of workers that have ended were there, in all, in ms. Any
// thread.
uint64_t sp_fleet_lived_ms(struct sp_fleet *fleet);
// How much processor time workers have used, in ms, as it was seen now and then. Any
// thread.
uint64_t sp_fleet_cpu_ms(struct sp_fleet *fleet);
// How many workers are still to make room for those of another spec. Any thread.
uint32_t sp_fleet_outdated_now(struct sp_fleet *fleet);
// Whether the code of the workers has changed since they were started, or cannot be
// started as it is: workers of another spec would not be the same. Any thread; it looks
// at files.
bool sp_fleet_has_new_code(struct sp_fleet *fleet);
// What a worker has printed last. False: there is no such worker. Any thread.
bool sp_fleet_output(struct sp_fleet *fleet,
                     uint64_t worker,
                     struct sp_worker_output *output);
// What the health checks of a worker say; all but `size` is filled in. False: there is
// no such worker. Any thread.
bool sp_fleet_health(struct sp_fleet *fleet, uint64_t worker, snakepit_health *health);
// Gives `take` the stacks of a worker's threads, and what is known of the call that
// each runs. NOT_FOUND: there is no such worker. Else as sp_stacks_read(). Any thread.
typedef void sp_worker_stack_fn(void *user,
                                const struct sp_stack *stack,
                                const struct sp_call_told *call);
// Appends the stack of the executor that runs a call, if it can be read at once: see
// sp_pool_hooks. Any thread.
void sp_fleet_where(struct sp_fleet *fleet,
                    uint64_t worker,
                    uint64_t call,
                    struct sp_buf *text);
snakepit_err sp_fleet_stacks(struct sp_fleet *fleet,
                             uint64_t worker,
                             sp_worker_stack_fn *take,
                             void *user,
                             snakepit_message *why);
// How many threads of a worker compute that are not Python's, such as those of BLAS:
// the most in one of the first few workers. 0 also where that cannot be known. Any
// thread; it takes a few milliseconds.
uint32_t sp_fleet_computing(struct sp_fleet *fleet);

#endif
