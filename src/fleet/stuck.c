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
                                         .death = SP_DEATH_CALL,
                                         .reason = "a call did not end in time and "
                                                   "could not be cancelled"});
}

static bool may_isolate(const struct sp_step *step, const struct sp_place *place)
{
    return step->plan->config->on_stuck == SP_STUCK_ISOLATE && !step->event->alone &&
           !step->event->closing && step->plan->phase == SP_FLEET_RUNNING &&
           (place->state == SP_PLACE_SERVING || place->state == SP_PLACE_DRAINING);
}

// Its post has two places. Where the worker before it is still there a successor finds
// no room, so it serves on with the threads that it has left.
static bool has_room(const struct sp_step *step, uint32_t place)
{
    const struct sp_place *its = &step->plan->places[place];
    enum sp_place_state other = step->plan->places[place ^ 1u].state;
    return its->state != SP_PLACE_SERVING ||
           (other != SP_PLACE_DRAINING && other != SP_PLACE_LEAVING);
}

// One that drains already may have less time than others with a stuck call.
static void isolate(struct sp_step *step, uint32_t number)
{
    struct sp_place *place = &step->plan->places[number];
    uint32_t grace = step->plan->config->stuck_grace_ms;
    uint64_t leave_at = step->now + grace * SP_NS_PER_MS;
    bool sooner = place->leave_at != 0 && place->leave_at < leave_at;
    sp_step_move(step, number, SP_PLACE_DRAIN);
    place->stuck = false;
    place->isolated = true;
    place->outgoing = true;
    place->leave_at = sooner ? place->leave_at : leave_at;
    step->plan->look_at = step->now;
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_RELEASE, .place = number});
    // Who sees it counted may rely on it.
    sp_step_do(step,
               &(struct sp_fleet_action){.kind = SP_FLEET_DO_NOTE_ISOLATED,
                                         .place = number,
                                         .number = grace});
    sp_step_show(step);
}

void sp_stuck_judge(struct sp_step *step)
{
    SP_CHECK(step->event->place < sp_places_count(step->plan));
    struct sp_place *place = &step->plan->places[step->event->place];
    if (!may_isolate(step, place)) {
        order_kill(step, step->event->place);
    } else if (!has_room(step, step->event->place)) {
        place->stuck = true;
    } else if (!place->isolated) {
        isolate(step, step->event->place);
    }
}

void sp_stuck_follow(struct sp_step *step)
{
    for (uint32_t i = 0; i < sp_places_count(step->plan) && !step->event->closing;
         i++) {
        const struct sp_place *place = &step->plan->places[i];
        if (place->stuck && place->state == SP_PLACE_SERVING && has_room(step, i)) {
            isolate(step, i);
        }
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
