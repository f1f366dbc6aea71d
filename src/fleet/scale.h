// SPDX-License-Identifier: MIT
// How many workers a pool has whose `pool_size` is a range. It grows when calls have
// waited for grow_after_ms without a pause, and shrinks when for shrink_after_ms it
// would have been less than busy with fewer. What was needed at the busiest moment of
// that time is kept, so that it does not go to and fro.
#ifndef FLEET_SCALE_H
#define FLEET_SCALE_H

#include "fleet/step.h"

// Whether the number of its workers follows the work.
bool sp_scale_is_elastic(const struct sp_fleet_plan *plan);
// Another time begins, at whose end the pool may shrink.
void sp_scale_watch(struct sp_step *step);
// What the pool does now: the event's load.
void sp_scale_judge(struct sp_step *step);
// So many workers, within the range.
void sp_scale_resize(struct sp_step *step, uint32_t workers, const char *why);
// Lets those go that are too many, without successors: they end what they run. Who
// serves waits for that until all posts that stay have a worker that serves, and that
// is not to make room itself.
void sp_scale_retire(struct sp_step *step);
// When the load is to be looked at; SP_NEVER.
uint64_t sp_scale_wake_at(const struct sp_fleet_plan *plan);

#endif
