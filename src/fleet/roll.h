// SPDX-License-Identifier: MIT
// What a pool's workers are made of is replaced while it serves. Each set of workers
// that are made alike is a generation. Those of an older one are recycled as any others
// are: a successor serves first, and `recycle_at_once` go at a time. Two things come
// first: a pool that is to have more workers starts these before any goes, and one that
// is to have fewer keeps all until those that stay are of the new generation. So it
// never runs fewer calls at a time than the smaller one of the two.
//
// If workers of the new generation cannot start, the old ones serve on.
#ifndef FLEET_ROLL_H
#define FLEET_ROLL_H

#include "fleet/step.h"

// The event's terms are the plan's from now on; there are as many posts as they need.
void sp_roll_take_terms(struct sp_step *step);
// Whether no worker is left of the present generation, and nothing of any that has
// exited.
bool sp_roll_is_unmanned(const struct sp_fleet_plan *plan);

#endif
