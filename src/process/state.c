// SPDX-License-Identifier: MIT
// The tables, and the steps by them. Every state ends in DEAD, and DEAD leads nowhere.
#include "process/state.h"

#include "base/check.h"
#include "base/probes.h"
#include "process/birth.h"
#include "telemetry/notice.h"

#define STARTING SP_WORKER_STARTING
#define READY    SP_WORKER_READY
#define DRAINING SP_WORKER_DRAINING
#define STOPPING SP_WORKER_STOPPING
#define DEAD     SP_WORKER_DEAD

static const enum sp_worker_state workers[SP_WORKER_STATES][SP_WORKER_EVENTS] = {
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
    return workers[state][event];
}

void sp_worker_enter(struct sp_worker *worker, enum sp_worker_event event)
{
    enum sp_worker_state next = sp_worker_next(worker->state, event);
    if (next == worker->state) {
        return;
    }
    sp_log(worker->options.log,
           worker_state,
           .pool = worker->options.pool,
           .worker = worker->options.id,
           .pid = (uint64_t)worker->child.process.pid,
           .from = sp_worker_state_name(worker->state),
           .to = sp_worker_state_name(next));
    worker->state = next;
    SP_PROBE3(worker_state,
              worker->options.id,
              worker->child.process.pid,
              sp_worker_state_name(next));
}

// ---- Templates ----------------------------------------------------------------

static const enum sp_template_state templates[SP_TEMPLATE_STATES][SP_TEMPLATE_EVENTS] =
    {
        //                       IMPORTED              STOP                  EXITED
        [SP_TEMPLATE_STARTING] = {SP_TEMPLATE_READY,
                                  SP_TEMPLATE_STOPPING,
                                  SP_TEMPLATE_DEAD},
        [SP_TEMPLATE_READY] = {SP_TEMPLATE_READY,
                               SP_TEMPLATE_STOPPING,
                               SP_TEMPLATE_DEAD},
        [SP_TEMPLATE_STOPPING] = {SP_TEMPLATE_STOPPING,
                                  SP_TEMPLATE_STOPPING,
                                  SP_TEMPLATE_DEAD},
        [SP_TEMPLATE_DEAD] = {SP_TEMPLATE_DEAD, SP_TEMPLATE_DEAD, SP_TEMPLATE_DEAD},
};

const char *sp_template_state_name(enum sp_template_state state)
{
    static const char *const names[SP_TEMPLATE_STATES] = {
        "STARTING", "READY", "STOPPING", "DEAD"};
    SP_CHECK(state < SP_TEMPLATE_STATES);
    return names[state];
}

enum sp_template_state sp_template_next(enum sp_template_state state,
                                        enum sp_template_event event)
{
    SP_CHECK(state < SP_TEMPLATE_STATES && event < SP_TEMPLATE_EVENTS);
    return templates[state][event];
}
