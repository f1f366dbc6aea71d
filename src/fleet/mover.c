// SPDX-License-Identifier: MIT
#include "fleet/mover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "fleet/inside.h"
#include "fleet/places.h"
#include "fleet/spec.h"
#include "telemetry/notice.h"

// Workers that are weighed in a look: it takes a walk through their page tables.
#define WEIGHED_MOST 4u

// ---- What is seen --------------------------------------------------------------

// Of one that can be looked at, or NULL.
static struct sp_worker *worker_at(const struct sp_fleet *fleet, uint32_t place)
{
    struct sp_worker *worker = fleet->occupants[place]->worker;
    enum sp_place_state state = fleet->plan.places[place].state;
    bool runs = state == SP_PLACE_SERVING || state == SP_PLACE_DRAINING;
    return runs ? worker : NULL;
}

// What the workers have used since the last look. What those used that have exited
// since is lost.
static uint64_t processor_time(struct sp_fleet *fleet)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < sp_places_count(&fleet->plan); i++) {
        const struct sp_worker *worker = worker_at(fleet, i);
        struct sp_occupant *occupant = fleet->occupants[i];
        uint64_t now = worker == NULL ? 0 : sp_worker_cpu(worker);
        // What it needed to start does not count.
        if (occupant->cpu_ns != 0 && now > occupant->cpu_ns) {
            used += now - occupant->cpu_ns;
        }
        occupant->cpu_ns = now;
    }
    return used;
}

// Weighs a few workers, each time others.
static void weigh_some(struct sp_fleet *fleet)
{
    struct sp_mover *mover = &fleet->mover;
    uint32_t count = sp_places_count(&fleet->plan);
    uint32_t weighed = 0;
    for (uint32_t i = 0; i < count && weighed < WEIGHED_MOST; i++) {
        mover->weighed = (mover->weighed + 1) % count;
        const struct sp_worker *worker = worker_at(fleet, mover->weighed);
        if (worker != NULL) {
            fleet->occupants[mover->weighed]->memory = sp_worker_share(worker);
            weighed++;
        }
    }
}

// All workers together, as those that have been weighed let expect.
static uint64_t memory_of_all(const struct sp_fleet *fleet)
{
    uint64_t known = 0;
    uint64_t weighed = 0;
    uint64_t workers = 0;
    for (uint32_t i = 0; i < sp_places_count(&fleet->plan); i++) {
        uint64_t memory = fleet->occupants[i]->memory;
        bool there = worker_at(fleet, i) != NULL;
        workers += there;
        weighed += there && memory != 0;
        known += there ? memory : 0;
    }
    return weighed == 0 ? 0 : known * workers / weighed;
}

static uint64_t calls_of(const struct sp_pool_counters *counters)
{
    uint64_t calls = 0;
    for (uint32_t err = 0; err < SP_ERRORS; err++) {
        calls += counters->ended[err];
    }
    return calls;
}

// Why the pool cannot have the other profile; NULL: it can. `worker` is one of its own.
static const char *obstacle(const struct sp_adapt_rules *rules,
                            const struct sp_worker *worker)
{
    if (rules->workers[SP_PROFILE_THREAD] >= rules->workers[SP_PROFILE_PROCESS]) {
        return "it would have as many workers";
    }
    const struct sp_worker_info *info = &worker->info;
    return !info->free_threaded ? "the interpreter is not a free-threaded build"
           : info->gil_enabled  ? "an import has switched the GIL back on"
           : !info->thread_safe ? "the adapter says that it is not thread-safe"
           : info->undeclared   ? "the adapter does not say that it is thread-safe"
                                : NULL;
}

// Any worker that serves; NULL: there is none.
static const struct sp_worker *some_worker(const struct sp_fleet *fleet)
{
    const struct sp_worker *worker = NULL;
    for (uint32_t i = 0; i < sp_places_count(&fleet->plan) && worker == NULL; i++) {
        worker = worker_at(fleet, i);
    }
    return worker;
}

static void note_obstacle(struct sp_fleet *fleet, const char *why)
{
    if (!fleet->mover.told) {
        fleet->mover.told = true;
        sp_log(fleet->options.log,
               pool_not_adaptive,
               .pool = fleet->spec->terms.pool->name,
               .profile = sp_profile_name(fleet->plan.profile),
               .because = why);
    }
}

// Whether the pool may move now. Where it never may, the log says so once.
static bool may_move(struct sp_fleet *fleet)
{
    const struct sp_worker *worker = some_worker(fleet);
    const char *why = worker == NULL ? NULL : obstacle(&fleet->mover.rules, worker);
    if (why != NULL) {
        note_obstacle(fleet, why);
    }
    return worker != NULL && why == NULL && fleet->plan.phase == SP_FLEET_RUNNING;
}

static void look(struct sp_fleet *fleet, struct sp_adapt_look *seen)
{
    struct sp_mover *mover = &fleet->mover;
    struct sp_machine machine;
    struct sp_pool_view view;
    sp_pool_look(fleet->options.pool, &view, NULL);
    uint64_t calls = calls_of(&view.counters);
    sp_machine_look(sp_config_cores(), &machine);
    weigh_some(fleet);
    *seen = (struct sp_adapt_look){.cpu_ns = processor_time(fleet),
                                   .calls = calls - mover->calls,
                                   .waiting = view.waiting > 0,
                                   .memory = memory_of_all(fleet),
                                   .cpu_percent = machine.cpu_percent,
                                   .memory_usage = machine.memory_usage,
                                   .memory_most = machine.memory,
                                   .whole = sp_posts_serve(&fleet->plan),
                                   .allowed = may_move(fleet)};
    mover->calls = calls;
}

// ---- The log -------------------------------------------------------------------

// What a move has gained; SP_UNTOLD: nobody knows.
struct gain {
    uint64_t bytes_before;
    uint64_t bytes_after;
    uint64_t cpu_us_before; // a call
    uint64_t cpu_us_after;
    int64_t cheaper; // percent
};

static const struct gain no_gain = {(uint64_t)SP_UNTOLD,
                                    (uint64_t)SP_UNTOLD,
                                    (uint64_t)SP_UNTOLD,
                                    (uint64_t)SP_UNTOLD,
                                    SP_UNTOLD};

static struct gain gain_of(const struct sp_adapt_verdict *verdict)
{
    const struct sp_adapt_window *before = &verdict->before;
    const struct sp_adapt_window *after = &verdict->after;
    struct gain gain = no_gain;
    gain.bytes_before = before->memory;
    gain.bytes_after = after->memory;
    if (sp_adapt_compare(before, after, &gain.cheaper)) {
        gain.cpu_us_before = before->cpu_ns / before->calls / SP_NS_PER_US;
        gain.cpu_us_after = after->cpu_ns / after->calls / SP_NS_PER_US;
    } else {
        gain.cheaper = SP_UNTOLD;
    }
    return gain;
}

static const char *reason_of(enum sp_adapt_reason reason)
{
    static const char *const reasons[] = {
        [SP_ADAPT_FOR_CPU] = "its workers use much of the processors",
        [SP_ADAPT_FOR_MEMORY] = "much of the memory is in use",
        [SP_ADAPT_FOR_ROOM] = "there is room for processes",
        [SP_ADAPT_UNDO] = "the last switch gained nothing",
    };
    return reasons[reason];
}

static void note_switch(const struct sp_fleet *fleet,
                        const struct sp_adapt_verdict *verdict)
{
    struct sp_adapt_shape shape;
    const struct sp_adapt_window *seen =
        verdict->reason == SP_ADAPT_UNDO ? &verdict->after : &verdict->before;
    const struct gain gain =
        verdict->reason == SP_ADAPT_UNDO ? gain_of(verdict) : no_gain;
    sp_adapt_shape(fleet->spec->terms.pool, verdict->profile, &shape);
    sp_log(fleet->options.log,
           pool_profile_switch,
           .pool = fleet->spec->terms.pool->name,
           .from = sp_profile_name(fleet->plan.profile),
           .to = sp_profile_name(verdict->profile),
           .workers = shape.workers.max,
           .threads = shape.threads,
           .cpu_usage = seen->cpu_usage / 100.0,
           .memory_usage = seen->memory_usage / 100.0,
           .because = reason_of(verdict->reason),
           .bytes_before = gain.bytes_before,
           .bytes_after = gain.bytes_after,
           .cpu_us_per_call_before = gain.cpu_us_before,
           .cpu_us_per_call_after = gain.cpu_us_after,
           .calls_cost_less_percent = gain.cheaper);
}

static void note_kept(const struct sp_fleet *fleet,
                      const struct sp_adapt_verdict *verdict)
{
    const struct gain gain = gain_of(verdict);
    sp_log(fleet->options.log,
           pool_profile_kept,
           .pool = fleet->spec->terms.pool->name,
           .profile = sp_profile_name(verdict->profile),
           .because = reason_of(verdict->reason),
           .bytes_before = gain.bytes_before,
           .bytes_after = gain.bytes_after,
           .cpu_us_per_call_before = gain.cpu_us_before,
           .cpu_us_per_call_after = gain.cpu_us_after,
           .calls_cost_less_percent = gain.cheaper);
}

static void note_failed(const struct sp_fleet *fleet, const char *because)
{
    sp_log(fleet->options.log,
           pool_profile_switch_failed,
           .pool = fleet->spec->terms.pool->name,
           .to = sp_profile_name(fleet->mover.goal),
           .because = because);
}

// ---- Moves ---------------------------------------------------------------------

static void on_timer(struct sp_timer *timer);

static void sleep_until(struct sp_fleet *fleet, uint64_t at, uint64_t now)
{
    uint64_t ms = at > now ? (at - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS : 1;
    sp_timer_start(fleet->options.loop, &fleet->mover.timer, on_timer, ms, 0);
}

// Has the workers replaced by ones of that profile.
static snakepit_err order(struct sp_fleet *fleet, enum sp_profile profile)
{
    struct sp_fleet_spec *spec;
    struct sp_spec_terms terms = fleet->spec->terms;
    struct sp_adapt_shape shape;
    sp_adapt_shape(terms.pool, profile, &shape);
    terms.profile = profile;
    terms.size = shape.workers;
    terms.threads = shape.threads;
    snakepit_err err = sp_spec_new(&terms, &spec);
    if (err == SNAKEPIT_OK) {
        err = sp_fleet_respec(fleet, spec, true, SP_RECYCLE_BY_SWITCH);
        if (err != SNAKEPIT_OK) {
            sp_spec_unref(spec);
        }
    }
    return err;
}

static void give_up(struct sp_fleet *fleet, const char *because, uint64_t now)
{
    struct sp_mover *mover = &fleet->mover;
    note_failed(fleet, because);
    sp_adapt_failed(&mover->adapt, &mover->rules, fleet->plan.profile, now);
}

static void
move(struct sp_fleet *fleet, const struct sp_adapt_verdict *verdict, uint64_t now)
{
    fleet->mover.goal = verdict->profile;
    note_switch(fleet, verdict);
    if (order(fleet, verdict->profile) != SNAKEPIT_OK) {
        give_up(fleet, "memory is exhausted", now);
    }
}

// Whether threads have fallen back to processes, for reasons of their own.
static bool has_fallen_back(const struct sp_fleet *fleet)
{
    const struct sp_adapt *adapt = &fleet->mover.adapt;
    enum sp_profile expected = adapt->moving ? fleet->mover.goal : adapt->profile;
    return fleet->plan.profile != expected;
}

// Whether the move that goes on has ended, and how.
static void follow(struct sp_fleet *fleet, uint64_t now)
{
    struct sp_mover *mover = &fleet->mover;
    const struct sp_fleet_plan *plan = &fleet->plan;
    if (sp_fleet_outdated(plan) == 0) {
        sp_adapt_moved(&mover->adapt, &mover->rules, now);
        sp_pool_count_worker(fleet->options.pool, SP_COUNTED_SWITCHES);
        if (mover->adapt.undoing) {
            sp_pool_count_worker(fleet->options.pool, SP_COUNTED_SWITCHES_UNDONE);
        }
    } else if (plan->restart.failures >= fleet->spec->terms.pool->restart_limit &&
               order(fleet, mover->adapt.profile) == SNAKEPIT_OK) {
        give_up(fleet, "its workers could not be started", now);
    }
}

static void on_timer(struct sp_timer *timer)
{
    struct sp_fleet *fleet = timer->user;
    struct sp_mover *mover = &fleet->mover;
    struct sp_adapt_look seen;
    uint64_t now = sp_clock_now();
    bool runs = fleet->plan.phase == SP_FLEET_RUNNING;
    if (runs && has_fallen_back(fleet)) {
        give_up(fleet, "threads could not run in parallel", now);
    }
    look(fleet, &seen);
    const struct sp_adapt_verdict verdict =
        sp_adapt_judge(&mover->adapt, &mover->rules, &seen, now);
    if (verdict.order == SP_ADAPT_MOVE) {
        move(fleet, &verdict, now);
    } else if (verdict.order == SP_ADAPT_KEEP) {
        note_kept(fleet, &verdict);
    } else if (mover->adapt.moving && runs) {
        follow(fleet, now);
    }
    sleep_until(fleet, mover->adapt.wakes, now);
}

void sp_mover_begin(struct sp_fleet *fleet)
{
    struct sp_mover *mover = &fleet->mover;
    uint64_t now = sp_clock_now();
    sp_mover_end(fleet);
    if (!fleet->spec->terms.pool->adaptive_pooling) {
        return;
    }
    mover->timer.user = fleet;
    mover->told = false;
    sp_adapt_rules(fleet->spec->terms.pool, &mover->rules);
    sp_adapt_init(&mover->adapt, &mover->rules, fleet->plan.profile, now);
    sleep_until(fleet, mover->adapt.wakes, now);
}

void sp_mover_end(struct sp_fleet *fleet)
{
    sp_timer_stop(&fleet->mover.timer);
}
