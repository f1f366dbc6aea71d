// SPDX-License-Identifier: MIT
// Which seats are open, ordered by how many calls they have.
//
// All functions: pool->lock held.
#ifndef POOL_LOADS_H
#define POOL_LOADS_H

#include <stdint.h>

#include "base/list.h"
#include "ipc/layout.h"

struct sp_seat;

#define SP_LOADS (SP_SLOTS_MAX + 1)

// Open seats by load. Within one load the most recently used stands first: it is warm.
// A new one stands second: its first call is slow, so the warmest goes on, and when
// that leaves, the one takes over that is going to be there longest.
struct sp_loads {
    struct sp_link by_load[SP_LOADS];
    uint32_t lowest;  // no seat has less load
    uint32_t count;   // open seats
    uint32_t crowded; // seats, open or not, with more calls than they run at once
};

void sp_loads_init(struct sp_loads *loads);
void sp_loads_add(struct sp_loads *loads, struct sp_seat *seat);
void sp_loads_remove(struct sp_loads *loads, struct sp_seat *seat);
// Changes a seat's load, open or not.
void sp_loads_set_load(struct sp_loads *loads, struct sp_seat *seat, uint32_t load);
// The least loaded open seat, or NULL.
struct sp_seat *sp_loads_least(struct sp_loads *loads);

#endif
