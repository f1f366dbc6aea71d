// SPDX-License-Identifier: MIT
// What a pool's workers should be. A function of what has happened and of the time:
// it has no loop, clock, process, log or memory of its own. fleet.c turns callbacks
// into events, and carries out the actions.
//
// A post is filled when it is vacant and nothing holds it back: a batch that is still
// starting, a pause, a template that imports, a pool that falls back, has failed or
// closes. It has two places: the worker that is to go serves on in the one, while its
// successor starts in the other.
//
// The states of a place, and what leads from one to the next; "-" stays. Where a cell
// is empty the event cannot come.
//
//              START     READY     TOLD      DRAIN     IDLE      DISMISS   EXITED
//    EMPTY     STARTING                      -                   -
//    STARTING            SERVING   -         LEAVING   -         LEAVING   EMPTY
//    SERVING             -         DRAINING  DRAINING  -         LEAVING   EMPTY
//    DRAINING            -         -         -         LEAVING   LEAVING   EMPTY
//    LEAVING             -         -         -         -         -         EMPTY
//
// START, DRAIN and DISMISS are ours: to fill a post, to make room for a successor or
// for processes or because a call is stuck, to end. A start that fails is an EXITED.
// One that is killed keeps its state until EXITED. The pool has a phase, from RUNNING
// to STOPPED, and its template a state. Nothing else is kept: how many start, serve or
// live is counted.
#ifndef FLEET_PLAN_H
#define FLEET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "fleet/restart.h"
#include "pool/pool.h"
#include "telemetry/figures.h"

// ---- State --------------------------------------------------------------------

enum sp_place_state {
    SP_PLACE_EMPTY,
    SP_PLACE_STARTING, // has a worker that has not answered a call
    SP_PLACE_SERVING,  // has one that takes calls
    SP_PLACE_DRAINING, // takes no more; some still run
    SP_PLACE_LEAVING,  // was told to leave: its exit is not news
};

#define SP_PLACE_STATES    5
#define SP_PLACES_PER_POST 2u

struct sp_place {
    enum sp_place_state state;
    uint32_t generation; // of the plan, when its worker was started
    bool exec;           // its next worker is not to be forked
    uint64_t due;        // its worker is to be replaced, in this order; 0: it is not
    bool outgoing;       // its turn has come: it goes as soon as a successor serves
    bool spent;          // its worker was given all its calls, and takes no more
    bool retired;        // it goes for good, since it is one too many
    enum sp_recycle why; // the reason that it is due
    uint64_t expires_at; // its worker is too old then; 0: it has no age limit
    uint64_t max_memory; // its worker is replaced above, bytes; 0: it has no limit
    uint64_t max_memory_hard; // it is killed above; likewise
    uint64_t ready_at;        // 0: its worker was never ready
    uint64_t leave_at; // one that drains leaves then, whatever it runs; 0: by itself
    bool isolated;     // a call of its worker is stuck: it is killed at `leave_at`
    bool stuck;        // the same, but it serves until there is room for a successor
    bool passed;       // it has passed a health check
    uint32_t failed;   // health checks in a row
};

enum sp_fleet_phase {
    SP_FLEET_RUNNING,
    SP_FLEET_FALLING_BACK, // threads leave, to come back as processes
    SP_FLEET_FAILED,       // all leave, until sp_fleet_retry()
    SP_FLEET_STOPPING,     // all leave, for good
    SP_FLEET_STOPPED,
};

#define SP_FLEET_PHASES 5

enum sp_planned_template_state {
    SP_PLANNED_NONE,      // there is none
    SP_PLANNED_IMPORTING, // it cannot fork yet
    SP_PLANNED_FORKING,
    SP_PLANNED_LEAVING, // it was told to
};

#define SP_PLANNED_STATES 4

// A pool's template. It only saves time and memory: whatever is wrong with it is a
// reason to do without, never one for the pool to fail.
struct sp_planned_template {
    enum sp_planned_template_state state;
    bool given_up;       // for this pool's adapter, interpreter and profile
    bool proven;         // a worker that it forked was ready once
    uint32_t deaths;     // since such a worker was ready
    uint64_t not_before; // another one is not started earlier
};

// Plain data. All times are CLOCK_MONOTONIC ns; 0 is none. Owner: loop thread.
struct sp_fleet_plan {
    const struct sp_pool_config *config;
    enum sp_profile profile; // after a fallback
    uint32_t posts;          // that there are; `size`, or more: those that it had
    uint32_t size;           // the most workers that it may have
    uint32_t least;          // the fewest
    uint32_t target;         // that it should have now: in the first posts
    uint32_t threads;
    uint32_t generation;     // counts how often workers were to be made anew
    struct sp_place *places; // SP_PLACES_PER_POST for each post
    enum sp_fleet_phase phase;
    struct sp_planned_template template;
    struct sp_restart restart;
    enum sp_pool_state shown; // the state that the pool was given last
    uint32_t remains;   // workers that have exited, and left something that has not
    uint64_t resume_at; // nothing is started before; 0: there is no pause
    uint64_t look_at;   // when to look whether those that drain have finished
    uint64_t weigh_at;  // when to look how much memory they use; 0: none was ready
    uint64_t chance;    // of the random numbers; never 0
    uint64_t last_due;  // of those that are to be replaced
    uint64_t turn_at;   // nobody else gets a turn before; 0: there is no delay
    // Of a pool whose size follows the work.
    uint64_t load_at;     // when to look at what it does
    uint64_t waits_since; // at every look since then calls have waited
    uint64_t shrink_at;   // it may get smaller then
    uint32_t needed_most; // the most workers that were needed meanwhile
    bool free_threaded;   // its interpreter, as far as workers have told
    bool gil_told;        // it was logged that threads take turns
    bool weight_told;     // and that a fresh worker exceeds a limit of memory
    bool sick; // a worker was replaced for its health, and none has passed since
};

// ---- Events -------------------------------------------------------------------

enum sp_fleet_event_kind {
    SP_FLEET_NOTHING, // no event
    SP_FLEET_BEGIN,   // the fleet is to start
    SP_FLEET_TIMER,   // it is `wake_at`, or later
    SP_FLEET_RETRY,   // the program asks for what is missing
    SP_FLEET_STOP,    // the pit closes
    SP_FLEET_LOAD,    // what the pool does: `load`
    SP_FLEET_RESIZE,  // the program wants so many workers: `number`
    SP_FLEET_RESPEC,  // the pool is to go on as `terms` say

    // Of the worker of a place.
    SP_FLEET_STARTED,      // START was carried out
    SP_FLEET_START_FAILED, // it could not be: `failure`, `reason`
    SP_FLEET_READY,        // its first call was answered: `worker`
    SP_FLEET_GIL,          // the GIL has come back: `worker`
    SP_FLEET_TOLD,         // somebody else's SIGTERM tells it to leave
    SP_FLEET_IDLE,         // it drains, and runs no call
    SP_FLEET_REPLACE,      // a successor is to take its place: `recycle`
    SP_FLEET_WEIGHED,      // how much memory it uses: `worker`
    SP_FLEET_STUCK,        // a call of its worker does not end: `alone`
    SP_FLEET_CHECKED,      // its health check has ended: `healthy`
    SP_FLEET_DENIED,       // the program may not signal it
    SP_FLEET_EXITED,       // its exit was observed: `worker`, `reason`
    SP_FLEET_GONE,         // of one that has exited nothing is left

    // Of the template.
    SP_FLEET_TEMPLATE_STARTED, // START_TEMPLATE was carried out
    SP_FLEET_TEMPLATE_FAILED,  // it could not be: `reason`
    SP_FLEET_TEMPLATE_READY,   // it can fork
    SP_FLEET_TEMPLATE_GONE,    // nothing of it is left: `reason`

    // Of the pool's profile.
    SP_FLEET_RESHAPED,  // RESHAPE was carried out
    SP_FLEET_NO_MEMORY, // it could not be carried out
};

#define SP_FLEET_EVENTS 27

// What is known of a worker.
struct sp_fleet_worker {
    uint64_t began; // when it was started
    bool born;      // there is, or was, a process
    bool forked;    // by the template
    bool free_threaded;
    bool gil_enabled;
    bool thread_safe;
    bool adapter_failed; // to start
    bool told;           // it ended because somebody else's SIGTERM told it to
    bool worked;         // it was given a call
    enum sp_death death; // of EXITED: how it ended
    uint64_t memory;     // bytes, of READY and WEIGHED; 0: not known
};

// How a pool is to go on.
struct sp_fleet_terms {
    const struct sp_pool_config *config; // borrowed until the next one
    enum sp_profile profile;             // which need not be that of `config`
    struct sp_range size;
    uint32_t threads;
    // Workers that there are make room for others; else they stay, and only those that
    // are started later are what these terms say.
    bool roll;
};

// What a pool does at one moment.
struct sp_fleet_load {
    uint32_t running;
    uint32_t waiting; // calls that any worker could take
};

// Texts are borrowed until the actions are carried out.
struct sp_fleet_event {
    enum sp_fleet_event_kind kind;
    uint32_t place;
    struct sp_fleet_worker worker;
    enum sp_start_failure failure;
    enum sp_recycle recycle;
    uint32_t number;
    struct sp_fleet_load load;
    struct sp_fleet_terms terms;
    bool alone; // the worker runs no call but such that are stuck
    bool healthy;
    const char *reason;
    // Of all events.
    bool closing;         // the pool takes no new calls
    const char *stranger; // that the program has changed its user since it started its
                          // workers, and may not be able to stop them; or NULL
};

// ---- Actions ------------------------------------------------------------------

enum sp_fleet_action_kind {
    // Of the worker of a place.
    SP_FLEET_DO_START,   // `fork`: by the template, if it can; `gives_way`: to calls.
                         // Answered by an event
    SP_FLEET_DO_SEAT,    // it takes calls, `number` of them at most; 0: any number
    SP_FLEET_DO_DRAIN,   // it takes no more
    SP_FLEET_DO_RELEASE, // those that it has not begun go back to the line
    SP_FLEET_DO_DISMISS, // it is to leave; `closing`: at once if it is busy
    SP_FLEET_DO_KILL,    // for `reason`, a constant text; `closing`: it was to leave
                         // anyway; `blames`: what it runs may be the cause

    SP_FLEET_DO_START_TEMPLATE, // answered by an event
    SP_FLEET_DO_STOP_TEMPLATE,
    SP_FLEET_DO_RESHAPE,   // `number` processes. Answered by an event
    SP_FLEET_DO_RESIZE,    // it has `number` workers, where it had `was`, for `reason`
    SP_FLEET_DO_SET_SHAPE, // of the pool: what it runs as, as the plan says
    SP_FLEET_DO_SET_STATE, // of the pool: `state`; `what` and `reason` explain it
    SP_FLEET_DO_FAIL,      // the pool fails; explained likewise
    SP_FLEET_DO_REFUSE,    // the same: its `what` cannot run threads, for `reason`
    SP_FLEET_DO_KNOW_USER, // takes the program's present user for the right one
    SP_FLEET_DO_COUNT_DEATH,
    SP_FLEET_DO_TELL_STOPPED,

    // For the log.
    SP_FLEET_DO_NOTE_FAILURE,  // a start has failed for `reason`, the `number`th in a
                               // row
    SP_FLEET_DO_NOTE_FALLBACK, // to `number` processes, for `reason`
    SP_FLEET_DO_NOTE_GIL,      // threads take turns
    SP_FLEET_DO_NOTE_UNUSED,   // the template, for `reason`
    SP_FLEET_DO_NOTE_LOST,     // likewise
    SP_FLEET_DO_NOTE_PUT_OFF,  // likewise
    SP_FLEET_DO_NOTE_RECYCLED, // its worker goes, for `reason`; `succeeded`: its
                               // successor serves
    SP_FLEET_DO_NOTE_MEMORY,   // its worker's `memory` exceeds the key `reason`
    SP_FLEET_DO_NOTE_ISOLATED, // its call is stuck; it is killed in `number` ms
    SP_FLEET_DO_NOTE_KEPT,     // it is not healthy, and no fresh one would be
};

struct sp_fleet_action {
    enum sp_fleet_action_kind kind;
    uint32_t place;
    uint32_t number;
    uint32_t was;
    uint64_t memory;
    bool fork;
    bool gives_way;
    bool closing;
    bool blames;
    bool succeeded;
    enum sp_pool_state state;
    enum sp_death death; // of COUNT_DEATH, and of KILL what it is counted as
    enum sp_recycle why; // of NOTE_RECYCLED
    const char *what;    // NULL: `reason` is the whole text
    const char *reason;
};

// One step's actions are fewer than this.
#define SP_FLEET_ACTIONS(posts) ((size_t)(posts) * SP_PLACES_PER_POST * 2 + 16)

// To be carried out in this order. One that is answered by an event is the last.
struct sp_fleet_actions {
    struct sp_fleet_action *items; // SP_FLEET_ACTIONS() of the plan's posts
    uint32_t count;
    uint64_t wake_at; // when TIMER is wanted, or SP_NEVER
};

// ---- Functions ----------------------------------------------------------------

// A plan that starts nothing yet. `places` are zeroed; they and `config` are borrowed.
// `chance` seeds the random numbers.
void sp_fleet_plan_init(struct sp_fleet_plan *plan,
                        const struct sp_pool_config *config,
                        struct sp_place *places,
                        uint64_t chance);
// Gives it more posts. `places`, zeroed, take the place of those it had, whose content
// is copied.
void sp_fleet_plan_extend(struct sp_fleet_plan *plan,
                          uint32_t posts,
                          struct sp_place *places);
// For RESHAPE, when it has as many posts as that. Of the workers that were to run as
// something else none must be left.
void sp_fleet_plan_reshape(struct sp_fleet_plan *plan,
                           enum sp_profile profile,
                           uint32_t size);
// What follows from `event`, which happened at `now`.
void sp_fleet_step(struct sp_fleet_plan *plan,
                   const struct sp_fleet_event *event,
                   uint64_t now,
                   struct sp_fleet_actions *out);

// Whether the plan wants the event IDLE of the place's worker.
bool sp_fleet_place_drains(const struct sp_fleet_plan *plan, uint32_t place);
// Whether it wants the event WEIGHED of it, at `weigh_at`.
bool sp_fleet_place_is_weighed(const struct sp_fleet_plan *plan, uint32_t place);
// Workers that are not ready yet.
uint32_t sp_fleet_starting(const struct sp_fleet_plan *plan);
// Posts whose worker takes calls; one that is about to go counts once with its
// successor.
uint32_t sp_fleet_serving(const struct sp_fleet_plan *plan);
// Workers of which something is left.
uint32_t sp_fleet_alive(const struct sp_fleet_plan *plan);
// Workers that are there and made of what others are not to be made of any more; 0:
// none of them is left.
uint32_t sp_fleet_outdated(const struct sp_fleet_plan *plan);

#endif
