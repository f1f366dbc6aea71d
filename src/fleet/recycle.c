// SPDX-License-Identifier: MIT
#include "fleet/recycle.h"

#include "base/chance.h"
#include "base/clock.h"

const char *sp_recycle_reason(enum sp_recycle why)
{
    static const char *const reasons[] = {
        [SP_RECYCLE_BY_HAND] = "somebody asked for it",
        [SP_RECYCLE_BY_AGE] = "worker_ttl",
        [SP_RECYCLE_BY_REQUESTS] = "worker_max_requests",
        [SP_RECYCLE_BY_MEMORY] = "worker_max_memory",
        [SP_RECYCLE_BY_HEALTH] = "health_check_max_failed",
        [SP_RECYCLE_BY_RELOAD] = "the pool was reloaded",
        [SP_RECYCLE_BY_SWITCH] = "the pool has another profile",
    };
    return reasons[why];
}

uint64_t sp_recycle_jitter(struct sp_fleet_plan *plan, uint64_t limit)
{
    uint64_t most = limit * plan->config->recycle_jitter / 100;
    return limit + sp_chance_draw(&plan->chance, most);
}

void sp_recycle_ready(struct sp_step *step, struct sp_place *place)
{
    uint64_t ttl = step->plan->config->worker_ttl;
    if (ttl > 0) {
        place->expires_at =
            step->now + sp_recycle_jitter(step->plan, ttl) * SP_NS_PER_MS;
    }
}

uint32_t sp_recycle_requests(struct sp_step *step)
{
    return (uint32_t)sp_recycle_jitter(step->plan,
                                       step->plan->config->worker_max_requests);
}

void sp_recycle_mark(struct sp_fleet_plan *plan,
                     struct sp_place *place,
                     enum sp_recycle why)
{
    if (place->state != SP_PLACE_SERVING) {
        return;
    }
    place->spent = place->spent || why == SP_RECYCLE_BY_REQUESTS;
    if (place->due == 0) {
        place->due = ++plan->last_due;
        place->why = why;
    }
}

void sp_recycle_check(struct sp_step *step, uint32_t place)
{
    struct sp_fleet_plan *plan = step->plan;
    struct sp_place *its = &plan->places[place];
    uint32_t most = plan->config->health_check_max_failed;
    if (step->event->healthy) {
        its->failed = 0;
        its->passed = true;
        plan->sick = false;
    } else if (++its->failed < most) {
        return;
    } else if (its->passed || !plan->sick) {
        plan->sick = plan->sick || its->state == SP_PLACE_SERVING;
        sp_recycle_mark(plan, its, SP_RECYCLE_BY_HEALTH);
    } else if (its->failed == most) {
        sp_step_do(
            step,
            &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_KEPT, .place = place});
    }
}

static bool expires(const struct sp_place *place)
{
    return place->state == SP_PLACE_SERVING && place->expires_at != 0 &&
           place->due == 0;
}

void sp_recycle_expire(struct sp_step *step)
{
    for (uint32_t i = 0; i < sp_places_count(step->plan); i++) {
        struct sp_place *place = &step->plan->places[i];
        if (expires(place) && step->now >= place->expires_at) {
            sp_recycle_mark(step->plan, place, SP_RECYCLE_BY_AGE);
        }
    }
}

static bool waits_for_its_turn(const struct sp_place *place)
{
    return place->due != 0 && !place->outgoing && place->state == SP_PLACE_SERVING;
}

// One that is spent serves nobody, and waits for a successor only where there is room
// for one: not while its own predecessor is still there. In a pool that closes it may
// serve on.
static void make_room(struct sp_step *step, uint32_t place)
{
    const struct sp_place *its = &step->plan->places[place];
    enum sp_place_state other = step->plan->places[place ^ 1u].state;
    bool crowded = other == SP_PLACE_DRAINING || other == SP_PLACE_LEAVING;
    if (its->spent && its->outgoing && its->state == SP_PLACE_SERVING && crowded &&
        !step->event->closing) {
        sp_step_do(step,
                   &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_RECYCLED,
                                             .place = place,
                                             .why = its->why,
                                             .reason = sp_recycle_reason(its->why)});
        sp_step_drain(step, place);
    }
}

// Those that were let go, but for those that have no successor; lets all go that are
// spent.
static uint32_t count_those_that_go(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    uint32_t going = 0;
    for (uint32_t i = 0; i < plan->target * SP_PLACES_PER_POST; i++) {
        struct sp_place *place = &plan->places[i];
        place->outgoing =
            place->outgoing || (place->spent && waits_for_its_turn(place));
        make_room(step, i);
        going += place->outgoing && !place->retired;
    }
    return going;
}

// Who is made of something else than its successor waits until the pool has all the
// workers that it is to have. It may be to have more, of which each runs fewer calls.
static bool has_to_wait(const struct sp_fleet_plan *plan, uint32_t place)
{
    return sp_place_is_outdated(plan, place) && !sp_posts_serve(plan);
}

// The place whose turn is next; the number of all, if none waits.
static uint32_t next_of(const struct sp_fleet_plan *plan)
{
    uint32_t next = sp_places_count(plan);
    for (uint32_t i = 0; i < plan->target * SP_PLACES_PER_POST; i++) {
        const struct sp_place *place = &plan->places[i];
        bool first =
            next == sp_places_count(plan) || place->due < plan->places[next].due;
        if (waits_for_its_turn(place) && first && !has_to_wait(plan, i)) {
            next = i;
        }
    }
    return next;
}

void sp_recycle_gone(struct sp_step *step)
{
    uint64_t delay = step->plan->config->recycle_delay_ms * SP_NS_PER_MS;
    step->plan->turn_at = delay > 0 ? step->now + delay : 0;
}

void sp_recycle_take_turns(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    uint32_t next;
    uint32_t going = count_those_that_go(step);
    if (step->now >= plan->turn_at) {
        plan->turn_at = 0;
    }
    while (plan->turn_at == 0 && going < plan->config->recycle_at_once &&
           (next = next_of(plan)) < sp_places_count(plan)) {
        plan->places[next].outgoing = true;
        going++;
    }
}

uint64_t sp_recycle_wake_at(const struct sp_fleet_plan *plan)
{
    bool waits = plan->turn_at != 0 && next_of(plan) < sp_places_count(plan);
    uint64_t at = waits ? plan->turn_at : SP_NEVER;
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        if (expires(&plan->places[i]) && plan->places[i].expires_at < at) {
            at = plan->places[i].expires_at;
        }
    }
    return at;
}
