// SPDX-License-Identifier: MIT
// Which workers have served long enough and make room for successors, and when it is
// their turn. The successor answers a call before the worker that it replaces
// takes no more of them.
#ifndef FLEET_RECYCLE_H
#define FLEET_RECYCLE_H

#include "fleet/step.h"

// A text for the log.
const char *sp_recycle_reason(enum sp_recycle why);

// A limit, and at random up to `recycle_jitter` percent more.
uint64_t sp_recycle_jitter(struct sp_fleet_plan *plan, uint64_t limit);
// A worker begins to serve: sets when it is too old.
void sp_recycle_ready(struct sp_step *step, struct sp_place *place);
// How many calls a worker may be given that begins to serve; 0: any number.
uint32_t sp_recycle_requests(struct sp_step *step);
// A worker that serves is to be replaced. The first reason counts.
void sp_recycle_mark(struct sp_fleet_plan *plan,
                     struct sp_place *place,
                     enum sp_recycle why);
// A health check of the worker has ended. Too many that failed in a row mark it, unless
// a fresh worker would do no better: it has never passed one, and neither has any
// worker since one was replaced for that.
void sp_recycle_check(struct sp_step *step, uint32_t place);
// Marks those that are too old by now.
void sp_recycle_expire(struct sp_step *step);
// One that was replaced has left: the next turn begins `recycle_delay_ms` later.
void sp_recycle_gone(struct sp_step *step);
// Lets as many go at a time as `recycle_at_once` allows, those first that were marked
// first, and those besides that take no calls any more. What remains marked has to wait
// for its turn.
void sp_recycle_take_turns(struct sp_step *step);
// When the next one is too old, or may have its turn; SP_NEVER.
uint64_t sp_recycle_wake_at(const struct sp_fleet_plan *plan);

#endif
