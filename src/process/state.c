// SPDX-License-Identifier: MIT
// The table. Every state ends in DEAD, and DEAD leads nowhere.
#include "process/state.h"

#include "base/check.h"

#define STARTING SP_WORKER_STARTING
#define READY    SP_WORKER_READY
#define DRAINING SP_WORKER_DRAINING
#define STOPPING SP_WORKER_STOPPING
#define DEAD     SP_WORKER_DEAD

static const enum sp_worker_state table[SP_WORKER_STATES][SP_WORKER_EVENTS] = {
    //            ANSWERED  DRAIN     STOP      EXITED
    [STARTING] = {READY, STOPPING, STOPPING, DEAD},
    [READY] = {READY, DRAINING, STOPPING, DEAD},
    [DRAINING] = {DRAINING, DRAINING, STOPPING, DEAD},
    [STOPPING] = {STOPPING, STOPPING, STOPPING, DEAD},
    [DEAD] = {DEAD, DEAD, DEAD, DEAD},
};

const char *sp_worker_state_name(enum sp_worker_state state)
{
    static const char *const names[SP_WORKER_STATES] = {
        "STARTING", "READY", "DRAINING", "STOPPING", "DEAD"};
    SP_CHECK(state < SP_WORKER_STATES);
    return names[state];
}

enum sp_worker_state sp_worker_next(enum sp_worker_state state,
                                    enum sp_worker_event event)
{
    SP_CHECK(state < SP_WORKER_STATES && event < SP_WORKER_EVENTS);
    return table[state][event];
}
