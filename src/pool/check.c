// SPDX-License-Identifier: MIT
// A check is a call that nobody waits for: the tick looks at its slot, and reports its
// end. It belongs to its seat, so it is neither moved nor sent back to the line.
#include "pool/check.h"

#include <string.h>

#include "base/clock.h"
#include "ipc/bell.h"
#include "pool/placement.h"
#include "pool/spares.h"

static snakepit_err prepare(struct sp_call *call, const char *tool)
{
    struct sp_store *store = &call->pool->store;
    const struct sp_request_text text = {.tool = tool,
                                         .tool_size = (uint32_t)strlen(tool)};
    snakepit_err err = SNAKEPIT_OK;
    call->checks = true;
    call->deadline = SP_NEVER;
    call->line_deadline = SP_NEVER;
    if (call->parcel == NULL) {
        err = sp_parcel_new(store, &call->parcel);
    }
    return err != SNAKEPIT_OK ? err : sp_parcel_fill(store, call->parcel, &text);
}

// Lock held. False: the seat takes none now.
static bool place(struct sp_pool *pool, struct sp_seat *seat, struct sp_call *call)
{
    struct sp_slot_request request;
    if (sp_pool_refuses(pool) != SNAKEPIT_OK || seat->check != NULL || !seat->open ||
        seat->spent || seat->leaves || seat->violated || seat->dead) {
        return false;
    }
    call->id = sp_call_id(++pool->last_call, pool->options.index);
    sp_call_describe(call, &request);
    if (!sp_port_submit(seat->port, &request, false, call, &call->placement.slot)) {
        return false;
    }
    sp_placement_begin(pool, call, seat, false);
    sp_loads_set_load(&pool->loads, seat, seat->load + 1);
    (void)sp_port_ring(seat->port);
    return true;
}

// One that was not placed ends as a call does that was refused.
static void drop(struct sp_call *call)
{
    call->phase = SP_CALL_ENDED;
    sp_pool_release(call);
}

snakepit_err sp_pool_check_seat(struct sp_pool *pool,
                                struct sp_seat *seat,
                                const char *tool,
                                uint32_t timeout_ms)
{
    struct sp_after after = {0};
    struct sp_call *call = sp_spares_take(pool);
    if (call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = prepare(call, tool);
    pthread_mutex_lock(&pool->lock);
    if (err == SNAKEPIT_OK && place(pool, seat, call)) {
        seat->check = call;
        seat->checks++;
        seat->check_ms = timeout_ms;
        pool->hooks.attention(pool->hooks.user);
    } else {
        err = err != SNAKEPIT_OK ? err : SNAKEPIT_WORKER_BUSY;
    }
    sp_pool_unlock(pool, &after);
    if (err != SNAKEPIT_OK) {
        drop(call);
    }
    return err;
}

// Its time begins when an executor is seen to run it: a worker with long calls is not
// sick. What the pool has no time for any more ends at once.
static void watch_time(struct sp_pool *pool,
                       struct sp_seat *seat,
                       uint64_t now,
                       struct sp_after *after)
{
    static const struct sp_failure closing = {.err = SNAKEPIT_SHUTTING_DOWN};
    struct sp_call *call = seat->check;
    if (pool->state == SP_POOL_STOPPING) {
        sp_pool_abandon(pool, call, &closing, after);
    } else if (sp_port_state(seat->port, call->placement.slot) != SP_SLOT_QUEUED &&
               call->deadline == SP_NEVER) {
        call->deadline = now + seat->check_ms * SP_NS_PER_MS;
    } else {
        sp_pool_expire(pool, call, now, NULL, after);
    }
}

void sp_check_look(struct sp_pool *pool,
                   struct sp_seat *seat,
                   uint64_t now,
                   struct sp_after *after)
{
    struct sp_call *call = seat->check;
    if (call == NULL) {
        return;
    }
    if (call->phase == SP_CALL_PLACED) {
        sp_pool_settle(pool, call, after);
    }
    if (call->phase == SP_CALL_PLACED) {
        watch_time(pool, seat, now, after);
    }
    seat->check_over = call->phase == SP_CALL_ENDED;
}

void sp_check_report(struct sp_seat *seat, const struct sp_pool_orders *orders)
{
    struct sp_call *call = seat->check;
    if (call == NULL || !seat->check_over) {
        return;
    }
    seat->check = NULL;
    seat->check_over = false;
    sp_call_open(call);
    orders->checked(seat->worker, call->err, &call->fault);
    sp_pool_release(call);
}
