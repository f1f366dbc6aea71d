// SPDX-License-Identifier: MIT
#include "fleet/roll.h"

#include "base/check.h"
#include "fleet/recycle.h"
#include "fleet/scale.h"

// As many workers as it takes to run as many calls at a time as before.
static uint32_t target_of(const struct sp_fleet_plan *plan,
                          const struct sp_fleet_terms *terms)
{
    uint64_t calls = (uint64_t)plan->target * plan->threads;
    uint64_t workers = (calls + terms->threads - 1) / terms->threads;
    workers = workers < terms->size.max ? workers : terms->size.max;
    return workers > terms->size.min ? (uint32_t)workers : terms->size.min;
}

// Those that do not serve yet are not worth the wait. The template, which knows the old
// adapter, forks nobody any more.
static void begin(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    plan->generation++;
    plan->gil_told = false;
    plan->weight_told = false;
    plan->sick = false;
    plan->restart.failures = 0;
    plan->template.given_up = false;
    plan->template.proven = false;
    plan->template.deaths = 0;
    plan->template.not_before = 0;
    // What was to end for a fallback ends; those that come are another matter.
    plan->phase = SP_FLEET_RUNNING;
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        struct sp_place *place = &plan->places[i];
        place->exec = false;
        if (place->state == SP_PLACE_STARTING) {
            sp_step_dismiss(step, i);
            place->outgoing = true; // its post need not wait until it has left
        } else {
            sp_recycle_mark(plan, place, step->event->recycle);
        }
    }
    sp_step_stop_template(step);
}

void sp_roll_take_terms(struct sp_step *step)
{
    struct sp_fleet_plan *plan = step->plan;
    const struct sp_fleet_terms *terms = &step->event->terms;
    uint32_t target = target_of(plan, terms);
    SP_CHECK(terms->size.max <= plan->posts && terms->size.min <= terms->size.max);
    plan->config = terms->config;
    plan->profile = terms->profile;
    plan->threads = terms->threads;
    plan->size = terms->size.max;
    plan->least = terms->size.min;
    sp_scale_watch(step);
    sp_scale_resize(step, target, sp_recycle_reason(step->event->recycle));
    if (terms->roll) {
        begin(step);
        sp_step_just(step, SP_FLEET_DO_SET_SHAPE);
    }
    sp_step_show(step);
}

bool sp_roll_is_unmanned(const struct sp_fleet_plan *plan)
{
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        bool is_there = plan->places[i].state != SP_PLACE_EMPTY;
        if (is_there && !sp_place_is_outdated(plan, i)) {
            return false;
        }
    }
    return plan->remains == 0;
}
