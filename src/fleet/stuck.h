// SPDX-License-Identifier: MIT
// Workers with a call that was given up and does not end: `on_stuck`.
//
//              STUCK, alone    STUCK, with others        time is up
//    kill      killed          killed                    -
//    isolate   killed          isolated, or killed if    killed
//                              the pool does not run
//
// One that is isolated gets no new calls; what it has not begun goes back to the line,
// and its post counts as vacant. Its time is `stuck_grace_ms`. While its own
// predecessor is still there, it serves on instead: a successor would not find room.
#ifndef FLEET_STUCK_H
#define FLEET_STUCK_H

#include "fleet/step.h"

// The event STUCK.
void sp_stuck_judge(struct sp_step *step);
// Isolates those that had to wait for that, once there is room for a successor.
void sp_stuck_follow(struct sp_step *step);
// Kills the workers that are isolated and whose time is up.
void sp_stuck_expire(struct sp_step *step);

#endif
