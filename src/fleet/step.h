// SPDX-License-Identifier: MIT
// One step of a plan, and what its files have in common: the one function that changes
// the state of a place, and what is done to workers, template and pool for more than
// one reason.
#ifndef FLEET_STEP_H
#define FLEET_STEP_H

#include "fleet/places.h"
#include "fleet/plan.h"

struct sp_step {
    struct sp_fleet_plan *plan;
    const struct sp_fleet_event *event;
    const char *stranger; // the event's, unless that does not matter any more
    uint64_t now;
    struct sp_fleet_actions *out;
};

// Appends an action.
void sp_step_do(struct sp_step *step, const struct sp_fleet_action *action);
// The same for one that is nothing but its kind.
void sp_step_just(struct sp_step *step, enum sp_fleet_action_kind kind);

// Changes the state of a place. One that is empty afterwards has forgotten its worker.
void sp_step_move(struct sp_step *step, uint32_t place, enum sp_place_event event);
// Tells its worker to leave. While the pit closes it is told once more.
void sp_step_dismiss(struct sp_step *step, uint32_t place);
// Lets its worker leave when it has done what it runs, or when that takes too long.
void sp_step_drain(struct sp_step *step, uint32_t place);
// Tells all workers, and the template.
void sp_step_dismiss_all(struct sp_step *step);
void sp_step_stop_template(struct sp_step *step);

// Starts nothing for `ms`, unless a pause has begun already.
void sp_step_pause(struct sp_step *step, uint32_t ms);

// Shows the pool's state, after a worker has begun or ceased to take calls.
void sp_step_show(struct sp_step *step);
// Gives the pool up, until sp_fleet_retry(). `verdict` has the kind, FAIL or REFUSE,
// and the texts.
void sp_step_fail(struct sp_step *step, const struct sp_fleet_action *verdict);

#endif
