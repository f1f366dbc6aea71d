// SPDX-License-Identifier: MIT
// A reload on its way from the thread that asks for it to the loop, and back.
#ifndef PIT_RELOAD_H
#define PIT_RELOAD_H

#include "config/change.h"
#include "pit/pit.h"

// What is to be done to one pool.
struct sp_reload_act {
    struct sp_pool_change *change;
    struct sp_pit_pool *place;    // NULL: it is one of those that nobody has seen yet
    struct sp_fleet_spec *spec;   // NULL: nothing changes in its workers
    struct sp_pool_options tuned; // what it is opened or tuned as
};

// The caller's, and the loop's from `pit->reload` to `done`.
struct sp_reload {
    struct sp_config *config;
    struct sp_changes changes;
    struct sp_reload_act *acts; // one for each change
    uint32_t grace_ms;
    snakepit_err err;
    _Atomic uint32_t done; // futex
};

#endif
