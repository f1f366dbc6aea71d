// SPDX-License-Identifier: MIT
// Moves a pool with `adaptive_pooling` from one profile to the other. What is seen of
// the pool is looked at now and then, by a timer: no call pays for it. Which profile it
// is to have is adapt.h's to say, and how workers are replaced roll.h's. Loop thread.
#ifndef FLEET_MOVER_H
#define FLEET_MOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "fleet/adapt.h"

struct sp_fleet;

struct sp_mover {
    struct sp_adapt adapt;
    struct sp_adapt_rules rules;
    struct sp_timer timer;
    enum sp_profile goal; // of the move that goes on
    uint64_t calls;       // that had ended at the last look
    uint32_t weighed;     // the place whose worker was weighed last
    bool told;            // it was logged why the pool cannot move
};

// Begins to look at a pool that has started, or whose spec somebody else has replaced,
// if its configuration wants that.
void sp_mover_begin(struct sp_fleet *fleet);
// Before sp_fleet_stop().
void sp_mover_end(struct sp_fleet *fleet);

#endif
