// SPDX-License-Identifier: MIT
// The part of a pool that concerns one completion queue: the calls that report there,
// and what of them is to be reported. A queue has a lane in each pool, under its
// number, so that a call that ends under the pool's lock needs no other one.
//
// Guarded by the pool's lock.
#ifndef POOL_LANE_H
#define POOL_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define SP_QUEUES_MOST   256u // fits into a slot's `queue`
#define SP_QUEUE_DEFAULT 0u

struct sp_call;

struct sp_lane {
    struct sp_link ended;     // submitted calls whose callback has not run
    struct sp_link questions; // calls that wait for a reply
    struct sp_link readable;  // calls of streams that can be read, or left to be closed
    uint32_t readable_count;
    uint32_t open; // submitted calls that have not been reported, streams not closed
};

void sp_lane_init(struct sp_lane *lane);
// Whether there is anything to report.
bool sp_lane_has_news(const struct sp_lane *lane);
// The call of a stream is to be reported, unless it is about to be.
void sp_lane_put_readable(struct sp_lane *lane, struct sp_call *call);
// Undoes that.
void sp_lane_drop_readable(struct sp_lane *lane, struct sp_call *call);
// The first of them; NULL.
struct sp_call *sp_lane_take_readable(struct sp_lane *lane);

#endif
