// SPDX-License-Identifier: MIT
#include "fleet/scale.h"

#include "base/check.h"
#include "base/clock.h"

#define BUSY_PERCENT 80u // of its executors that a pool of the right size uses
#define LOOKS        20u // at the load, in the time after which a pool may shrink

bool sp_scale_is_elastic(const struct sp_fleet_plan *plan)
{
    return plan->least < plan->size;
}

static uint32_t within(const struct sp_fleet_plan *plan, uint64_t workers)
{
    uint64_t most = workers < plan->size ? workers : plan->size;
    return most > plan->least ? (uint32_t)most : plan->least;
}

// Workers that would be busy with this, but not too busy.
static uint32_t needed(const struct sp_fleet_plan *plan,
                       const struct sp_fleet_load *load)
{
    uint64_t calls = (uint64_t)load->running + load->waiting;
    uint64_t share = (uint64_t)plan->threads * BUSY_PERCENT;
    return within(plan, (calls * 100 + share - 1) / share);
}

static bool is_surplus(const struct sp_fleet_plan *plan, uint32_t place)
{
    return place / SP_PLACES_PER_POST >= plan->target;
}

// Whether each of the posts that stay has a worker that serves, and stays itself.
static bool others_serve(const struct sp_fleet_plan *plan)
{
    for (uint32_t post = 0; post < plan->target; post++) {
        if (!sp_post_serves_anew(plan, post)) {
            return false;
        }
    }
    return true;
}

void sp_scale_retire(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    if (plan->target * SP_PLACES_PER_POST == sp_places_count(plan)) {
        return; // nobody is one too many
    }
    bool may_go = others_serve(plan);
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        enum sp_place_state state = plan->places[i].state;
        bool goes = state == SP_PLACE_STARTING || (state == SP_PLACE_SERVING && may_go);
        if (is_surplus(plan, i) && goes) {
            plan->places[i].outgoing = true;
            plan->places[i].retired = true;
            sp_step_drain(step, i);
        }
    }
}

void sp_scale_watch(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    plan->needed_most = 0;
    plan->shrink_at = step->now + plan->config->shrink_after_ms * SP_NS_PER_MS;
}

void sp_scale_resize(struct sp_step *step, uint32_t workers, const char *why)
{
    struct sp_fleet_plan *plan = step->plan;
    workers = within(plan, workers);
    if (workers == plan->target) {
        return;
    }
    // What was seen of the load says little of the pool as it is from now on.
    sp_scale_watch(step);
    plan->waits_since = 0;
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_RESIZE,
                                         .number = workers,
                                         .was = plan->target,
                                         .reason = why});
    plan->target = workers;
    sp_step_show(step);
}

// Whether each post has a worker, and its start is over.
static bool is_filled(const struct sp_fleet_plan *plan)
{
    return sp_fleet_starting(plan) == 0 &&
           sp_places_vacant(plan) == sp_places_count(plan);
}

// Whether calls have waited long enough, and those that start are not for them.
static bool must_grow(const struct sp_step *step, uint32_t wanted)
{
    const struct sp_fleet_plan *plan = step->plan;
    uint64_t patience = plan->config->grow_after_ms * SP_NS_PER_MS;
    return plan->target < plan->size && plan->waits_since != 0 &&
           step->now - plan->waits_since >= patience &&
           (wanted > plan->target || is_filled(plan));
}

void sp_scale_judge(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    const struct sp_fleet_load *load = &step->event->load;
    if (!sp_scale_is_elastic(plan) || plan->phase != SP_FLEET_RUNNING) {
        plan->waits_since = 0;
        return;
    }
    uint32_t wanted = needed(plan, load);
    plan->needed_most = wanted > plan->needed_most ? wanted : plan->needed_most;
    if (load->waiting == 0) {
        plan->waits_since = 0;
    } else if (plan->waits_since == 0) {
        plan->waits_since = step->now;
    }
    if (must_grow(step, wanted)) {
        uint32_t one_more = plan->target + 1;
        sp_scale_resize(
            step, wanted > one_more ? wanted : one_more, "calls wait for workers");
    } else if (step->now >= plan->shrink_at) {
        uint32_t enough =
            plan->needed_most < plan->target ? plan->needed_most : plan->target;
        sp_scale_resize(step, enough, "workers are idle");
        sp_scale_watch(step);
    }
    plan->load_at = step->now + plan->config->shrink_after_ms * SP_NS_PER_MS / LOOKS;
}

// A pool at its least is told when calls wait; nothing else can change it.
uint64_t sp_scale_wake_at(const struct sp_fleet_plan *plan)
{
    return sp_scale_is_elastic(plan) && plan->target > plan->least ? plan->load_at
                                                                   : SP_NEVER;
}
