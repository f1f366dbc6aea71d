// SPDX-License-Identifier: MIT
// Which workers have grown too much: one over `worker_max_memory` makes room for a
// successor, one over `worker_max_memory_hard` is killed. A limit that a worker exceeds
// before it has served a call would be exceeded by its successor as well, so for that
// worker it does not count; that is told once.
#ifndef FLEET_WEIGHT_H
#define FLEET_WEIGHT_H

#include "fleet/step.h"

// A worker begins to serve, and has the event's memory: sets its limits.
void sp_weight_ready(struct sp_step *step, uint32_t place);
// A worker has the event's memory.
void sp_weight_judge(struct sp_step *step, uint32_t place);
// The timer: those that have been weighed are weighed again after the interval.
void sp_weight_expire(struct sp_step *step);
// When they are to be weighed; SP_NEVER.
uint64_t sp_weight_wake_at(const struct sp_fleet_plan *plan);

#endif
