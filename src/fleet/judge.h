// SPDX-License-Identifier: MIT
// Who is to blame for a start or a life that ended too soon: the pool, its template, or
// nobody. What a failure costs the pool is restart.h's to say.
#ifndef FLEET_JUDGE_H
#define FLEET_JUDGE_H

#include "fleet/step.h"

// A worker could not be started.
void sp_judge_start(struct sp_step *step);
// A worker has exited; `before` is the state of its place then.
void sp_judge_exit(struct sp_step *step, const struct sp_place *before);
// A worker is ready: if it was forked, forking works.
void sp_judge_credit(struct sp_step *step);
// The template could not be started.
void sp_judge_template_start(struct sp_step *step);
// The template has ended; `before` is its state then.
void sp_judge_template_end(struct sp_step *step, enum sp_planned_template_state before);

#endif
