// SPDX-License-Identifier: MIT
// One step of a plan, and what its files have in common: the one function that changes
// the state of a place, and what is done to workers, template and pool for more than
// one reason.
#ifndef FLEET_TURN_H
#define FLEET_TURN_H

#include "fleet/places.h"
#include "fleet/plan.h"

struct sp_turn {
    struct sp_fleet_plan *plan;
    const struct sp_fleet_event *event;
    const char *stranger; // the event's, unless that does not matter any more
    uint64_t now;
    struct sp_fleet_actions *out;
};

// Appends an action.
void sp_turn_do(struct sp_turn *turn, const struct sp_fleet_action *action);
// The same for one that is nothing but its kind.
void sp_turn_just(struct sp_turn *turn, enum sp_fleet_action_kind kind);

// Changes the state of a place. One that is empty afterwards has forgotten its worker.
void sp_turn_move(struct sp_turn *turn, uint32_t place, enum sp_place_event event);
// Tells its worker to leave. While the pit closes it is told once more.
void sp_turn_dismiss(struct sp_turn *turn, uint32_t place);
// Lets its worker leave when it has done what it runs, or when that takes too long.
void sp_turn_drain(struct sp_turn *turn, uint32_t place);
// Tells all workers, and the template.
void sp_turn_dismiss_all(struct sp_turn *turn);
void sp_turn_stop_template(struct sp_turn *turn);

// Starts nothing for so long, unless that was said already.
void sp_turn_pause(struct sp_turn *turn, uint32_t ms);

// What the pool is by now, after a worker has begun or ceased to take calls.
void sp_turn_show(struct sp_turn *turn);
// Gives the pool up, until sp_fleet_retry(). `verdict` has the kind, FAIL or REFUSE,
// and the texts.
void sp_turn_fail(struct sp_turn *turn, const struct sp_fleet_action *verdict);

#endif
