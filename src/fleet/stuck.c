// SPDX-License-Identifier: MIT
// A worker that is to be killed keeps its state until its exit was observed: this is a
// death like any other.
#include "fleet/stuck.h"

#include "base/check.h"
#include "base/clock.h"

static void order_kill(struct sp_step *step, uint32_t place)
{
    step->plan->places[place].leave_at = SP_NEVER; // once is enough
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_KILL,
                                         .place = place,
                                         .closing = step->event->closing,
                                         .reason = "a call did not end in time and "
                                                   "could not be cancelled"});
}

static bool may_isolate(const struct sp_step *step, const struct sp_place *place)
{
    return step->plan->config->on_stuck == SP_STUCK_ISOLATE && !step->event->alone &&
           !step->event->closing && step->plan->phase == SP_FLEET_RUNNING &&
           (place->state == SP_PLACE_SERVING || place->state == SP_PLACE_DRAINING);
}

// One that drains already may have less time than others with a stuck call.
static void isolate(struct sp_step *step, struct sp_place *place)
{
    uint32_t grace = step->plan->config->stuck_grace_ms;
    uint64_t leave_at = step->now + grace * SP_NS_PER_MS;
    bool sooner = place->leave_at != 0 && place->leave_at < leave_at;
    sp_step_move(step, step->event->place, SP_PLACE_DRAIN);
    place->isolated = true;
    place->outgoing = true;
    place->leave_at = sooner ? place->leave_at : leave_at;
    step->plan->look_at = step->now;
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_ISOLATED,
                                         .place = step->event->place,
                                         .number = grace});
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_RELEASE,
                                         .place = step->event->place});
    sp_step_show(step);
}

void sp_stuck_judge(struct sp_step *step)
{
    SP_CHECK(step->event->place < sp_places_count(step->plan));
    struct sp_place *place = &step->plan->places[step->event->place];
    if (!may_isolate(step, place)) {
        order_kill(step, step->event->place);
    } else if (!place->isolated) {
        isolate(step, place);
    }
}

void sp_stuck_expire(struct sp_step *step)
{
    for (uint32_t i = 0; i < sp_places_count(step->plan); i++) {
        const struct sp_place *place = &step->plan->places[i];
        if (place->isolated && place->state == SP_PLACE_DRAINING &&
            step->now >= place->leave_at) {
            order_kill(step, i);
        }
    }
}
