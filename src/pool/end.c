// SPDX-License-Identifier: MIT
// Where every call ends, once.
#include "pool/inside.h"

#include "base/check.h"
#include "base/probes.h"
#include "ipc/futex.h"
#include "pool/affinity.h"
#include "pool/guard.h"
#include "pool/placement.h"
#include "pool/stream.h"
#include "pool/trace.h"

void sp_pool_moved(struct sp_call *call, struct sp_after *after)
{
    if (call->asynchronous || call == after->self) {
        return;
    }
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (call->reports) {
        return; // nobody sleeps for it
    }
    if (after->call_count < SP_AFTER_MOST) {
        after->calls[after->call_count++] = call;
    } else {
        sp_futex_wake(&call->moves, INT32_MAX);
    }
}

// Takes a call out of the tables of those that are under way.
static void forget(struct sp_pool *pool, struct sp_call *call)
{
    sp_pending_remove(&pool->pending, call);
    if (call->stream != NULL && !call->reports) {
        sp_list_remove(&call->stream_link);
    }
    if (sp_link_used(&call->inquiry.link)) {
        sp_list_remove(&call->inquiry.link);
    }
}

static bool relays(const struct sp_call *call)
{
    return call->pool->options.relays;
}

// What its caller will be told: what a tool fails with is in its answer.
static snakepit_err outcome_of(const struct sp_call *call)
{
    return call->err == SNAKEPIT_TOOL_FAILED
               ? sp_call_fault_err(call->body, relays(call))
               : call->err;
}

void sp_pool_meet_new_tool(struct sp_pool *pool, struct sp_call *call)
{
    if (!call->checks && outcome_of(call) != SNAKEPIT_UNKNOWN_TOOL) {
        call->tool =
            sp_tools_meet(&pool->tools, sp_parcel_tool(&pool->store, call->parcel));
    }
}

static void count_end(struct sp_pool *pool, struct sp_call *call)
{
    pool->counters.ended[call->err]++;
    if (call->err == SNAKEPIT_OK) {
        call->tool->ended[SNAKEPIT_OK]++;
    } else {
        call->tool->ended[outcome_of(call)]++;
    }
    if (sp_recent_wants(&pool->recent, call)) {
        sp_recent_note(&pool->recent, &pool->store, call, outcome_of(call));
        sp_slow_note_end(pool, call);
    }
    if (call->err != SNAKEPIT_OK || call->probe) {
        sp_guard_end(pool, call);
    }
}

void sp_pool_end(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    SP_CHECK(call->phase != SP_CALL_ENDED);
    call->phase = SP_CALL_ENDED;
    if (call->trace != NULL) {
        sp_call_trace_ended(call);
    }
    if (!call->checks) {
        count_end(pool, call);
        SP_PROBE3(call_done, call->id, call->err, call->fault.worker);
    }
    if (call->parcel == NULL) {
        call->left_parcel = NULL;
    }
    if (call->tie != NULL) {
        sp_affinity_end(pool, call);
    }
    if (sp_call_is_pending(call)) {
        forget(pool, call);
    }
    if (call->asynchronous) {
        if (!call->inquiry.serving) {
            sp_list_append(&sp_pool_lane(pool, call)->ended, &call->link);
        }
    } else {
        sp_pool_moved(call, after);
        if (call->reports) {
            sp_stream_report(pool, call);
        }
    }
    if (pool->state == SP_POOL_STOPPING && pool->placed == 0 && pool->line.count == 0) {
        pool->hooks.changed(pool->hooks.user);
    }
}

void sp_pool_fail_call(struct sp_pool *pool,
                       struct sp_call *call,
                       const struct sp_failure *failure,
                       struct sp_after *after)
{
    sp_pool_explain(call, failure);
    sp_pool_end(pool, call, after);
    if (call->reports) {
        pool->hooks.ended(pool->hooks.user, call->queue);
    }
}

bool sp_pool_finishes_calls(const struct sp_pool *pool)
{
    return pool->state == SP_POOL_STOPPING && pool->loads.count > 0;
}

snakepit_err sp_pool_refuses(const struct sp_pool *pool)
{
    switch (pool->state) {
    case SP_POOL_STOPPING:
        return pool->removed ? SNAKEPIT_POOL_REMOVED : SNAKEPIT_SHUTTING_DOWN;
    case SP_POOL_FAILED:
        return SNAKEPIT_POOL_FAILED;
    case SP_POOL_DOWN:
        return pool->options.relays ? SNAKEPIT_DAEMON_LOST : SNAKEPIT_POOL_DOWN;
    default:
        return SNAKEPIT_OK;
    }
}

void sp_pool_unplace(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_seat *seat = call->placement.seat;
    sp_placement_end_lease(pool, call, seat, false);
    if (!call->placement.served) {
        sp_loads_set_load(&pool->loads, seat, seat->load - 1);
    }
    sp_placement_end(pool, call);
    pool->freed = true;
}
