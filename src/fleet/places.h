// SPDX-License-Identifier: MIT
// The table of plan.h: where an event leads the worker of a place. And what is counted
// instead of stored.
#ifndef FLEET_PLACES_H
#define FLEET_PLACES_H

#include "fleet/plan.h"

enum sp_place_event {
    SP_PLACE_START,   // it is filled
    SP_PLACE_READY,   // its worker has answered its first call
    SP_PLACE_TOLD,    // somebody else's SIGTERM tells it to leave
    SP_PLACE_DRAIN,   // it is to leave once it runs no call
    SP_PLACE_IDLE,    // it drains, and runs no call
    SP_PLACE_DISMISS, // it is to leave
    SP_PLACE_EXITED,  // its exit was observed, or it was never there
};

#define SP_PLACE_EVENTS 7

// Where `event` leads from `state`. Checks that it can come there.
enum sp_place_state sp_place_next(enum sp_place_state state, enum sp_place_event event);

// All places of the plan.
uint32_t sp_places_count(const struct sp_fleet_plan *plan);
// Those in a state.
uint32_t sp_places_in(const struct sp_fleet_plan *plan, enum sp_place_state state);
// The first place to fill; sp_places_count(): no post is vacant.
uint32_t sp_places_vacant(const struct sp_fleet_plan *plan);

// Whether a post has a worker that takes calls.
bool sp_post_serves(const struct sp_fleet_plan *plan, uint32_t post);
// Whether it has one that is made as workers are made now.
bool sp_post_serves_anew(const struct sp_fleet_plan *plan, uint32_t post);
// Whether each post that stays has a worker that takes calls.
bool sp_posts_serve(const struct sp_fleet_plan *plan);
// Whether a worker is made of what others are not to be made of any more.
bool sp_place_is_outdated(const struct sp_fleet_plan *plan, uint32_t place);
// Whether such workers take calls: others are to take their places.
bool sp_places_roll(const struct sp_fleet_plan *plan);

#endif
