// SPDX-License-Identifier: MIT
// A post is vacant where a worker that starts or serves is missing: when both of its
// places are empty, or when the worker of the one is to go.
#include "fleet/places.h"

#include "base/check.h"

#define EMPTY    SP_PLACE_EMPTY
#define STARTING SP_PLACE_STARTING
#define SERVING  SP_PLACE_SERVING
#define DRAINING SP_PLACE_DRAINING
#define LEAVING  SP_PLACE_LEAVING
#define NEVER    SP_PLACE_STATES // the event cannot come

static const enum sp_place_state table[SP_PLACE_STATES][SP_PLACE_EVENTS] = {
    //            START     READY    TOLD      DRAIN     IDLE     DISMISS  EXITED
    [EMPTY] = {STARTING, NEVER, NEVER, EMPTY, NEVER, EMPTY, NEVER},
    [STARTING] = {NEVER, SERVING, STARTING, LEAVING, STARTING, LEAVING, EMPTY},
    [SERVING] = {NEVER, SERVING, DRAINING, DRAINING, SERVING, LEAVING, EMPTY},
    [DRAINING] = {NEVER, DRAINING, DRAINING, DRAINING, LEAVING, LEAVING, EMPTY},
    [LEAVING] = {NEVER, LEAVING, LEAVING, LEAVING, LEAVING, LEAVING, EMPTY},
};

enum sp_place_state sp_place_next(enum sp_place_state state, enum sp_place_event event)
{
    SP_CHECK(state < SP_PLACE_STATES && event < SP_PLACE_EVENTS);
    enum sp_place_state next = table[state][event];
    SP_CHECK(next != NEVER);
    return next;
}

uint32_t sp_places_count(const struct sp_fleet_plan *plan)
{
    return plan->posts * SP_PLACES_PER_POST;
}

uint32_t sp_places_in(const struct sp_fleet_plan *plan, enum sp_place_state state)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        found += plan->places[i].state == state;
    }
    return found;
}

static const struct sp_place *places_of(const struct sp_fleet_plan *plan, uint32_t post)
{
    return &plan->places[(size_t)post * SP_PLACES_PER_POST];
}

// One that was told to leave by somebody else keeps its post until it has left.
static bool holds_its_post(const struct sp_place *place)
{
    return place->state != EMPTY && !place->outgoing;
}

static bool is_vacant(const struct sp_place *places)
{
    for (uint32_t i = 0; i < SP_PLACES_PER_POST; i++) {
        if (holds_its_post(&places[i])) {
            return false;
        }
    }
    return true;
}

uint32_t sp_places_vacant(const struct sp_fleet_plan *plan)
{
    for (uint32_t i = 0; i < plan->target * SP_PLACES_PER_POST; i++) {
        const struct sp_place *places = places_of(plan, i / SP_PLACES_PER_POST);
        if (plan->places[i].state == EMPTY && is_vacant(places)) {
            return i;
        }
    }
    return sp_places_count(plan);
}

uint32_t sp_fleet_starting(const struct sp_fleet_plan *plan)
{
    return sp_places_in(plan, STARTING);
}

static bool takes_calls(const struct sp_place *place)
{
    return place->state == SERVING && !place->spent;
}

bool sp_post_serves(const struct sp_fleet_plan *plan, uint32_t post)
{
    const struct sp_place *places = places_of(plan, post);
    return takes_calls(&places[0]) || takes_calls(&places[1]);
}

bool sp_post_serves_anew(const struct sp_fleet_plan *plan, uint32_t post)
{
    for (uint32_t i = 0; i < SP_PLACES_PER_POST; i++) {
        uint32_t place = post * SP_PLACES_PER_POST + i;
        if (takes_calls(&plan->places[place]) && !sp_place_is_outdated(plan, place)) {
            return true;
        }
    }
    return false;
}

bool sp_posts_serve(const struct sp_fleet_plan *plan)
{
    for (uint32_t post = 0; post < plan->target; post++) {
        if (!sp_post_serves(plan, post)) {
            return false;
        }
    }
    return true;
}

bool sp_place_is_outdated(const struct sp_fleet_plan *plan, uint32_t place)
{
    const struct sp_place *its = &plan->places[place];
    return its->state != EMPTY && its->generation != plan->generation;
}

bool sp_places_roll(const struct sp_fleet_plan *plan)
{
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        if (takes_calls(&plan->places[i]) && sp_place_is_outdated(plan, i)) {
            return true;
        }
    }
    return false;
}

uint32_t sp_fleet_outdated(const struct sp_fleet_plan *plan)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < sp_places_count(plan); i++) {
        found += sp_place_is_outdated(plan, i);
    }
    return found;
}

uint32_t sp_fleet_serving(const struct sp_fleet_plan *plan)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < plan->posts; i++) {
        found += sp_post_serves(plan, i);
    }
    return found;
}

uint32_t sp_fleet_alive(const struct sp_fleet_plan *plan)
{
    return sp_places_count(plan) - sp_places_in(plan, EMPTY) + plan->remains;
}

bool sp_fleet_place_drains(const struct sp_fleet_plan *plan, uint32_t place)
{
    const struct sp_place *its = &plan->places[place];
    return its->state == DRAINING && its->leave_at != 0;
}
