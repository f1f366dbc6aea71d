// SPDX-License-Identifier: MIT
// Nobody sleeps for the pause of a call but its own caller: a thread that waits for it
// wakes by itself, and for a call that no thread waits for the tick looks, as it does
// for its deadline.
#include "pool/attempt.h"

#include "base/clock.h"
#include "pool/affinity.h"
#include "pool/guard.h"
#include "pool/stream.h"
#include "pool/trace.h"

// Whether running it again does no more than running it once.
static bool is_idempotent(const struct sp_pool *pool,
                          const struct sp_call *call,
                          const struct sp_seat *seat)
{
    return call->idempotent ||
           sp_seat_calls_idempotent(seat, sp_parcel_tool(&pool->store, call->parcel));
}

// What only this worker could answer, or somebody has begun to read or to work for, is
// not run elsewhere. A breaker's probe has just said how the tool is.
static bool may_move(const struct sp_pool *pool, const struct sp_call *call)
{
    bool is_unread = call->stream == NULL || sp_stream_is_empty(call);
    return is_unread && !call->placement.served && !call->inquiry.serving &&
           !call->probe && !sp_affinity_binds(pool, call) &&
           sp_pool_refuses(pool) == SNAKEPIT_OK;
}

bool sp_attempt_may_follow(struct sp_pool *pool,
                           struct sp_call *call,
                           const struct sp_seat *seat,
                           snakepit_err err)
{
    const struct sp_retry_terms *terms = &pool->options.retry;
    if (call->checks || (terms->on & SP_ERROR_BIT(err)) == 0) {
        return false;
    }
    // Each failure counts, also of a call that is not run again.
    bool allowed =
        sp_retry_spend(&pool->retry, terms, pool->counters.ended[SNAKEPIT_OK]);
    uint64_t now = sp_clock_now();
    uint64_t at = now + sp_retry_pause(&pool->retry, terms, call->retries);
    if (call->retries + 1 >= terms->max_attempts || at >= call->deadline ||
        !may_move(pool, call) || !is_idempotent(pool, call, seat) ||
        sp_guard_is_near(pool, call, err, now)) {
        return false;
    }
    if (!allowed) {
        pool->counters.retries_refused++;
        return false;
    }
    call->retry_at = at;
    return true;
}

void sp_attempt_delay(struct sp_pool *pool, struct sp_call *call, snakepit_err err)
{
    sp_guard_note(pool, call, err, true);
    if (sp_link_used(&call->inquiry.link)) {
        sp_list_remove(&call->inquiry.link); // nobody answers that any more
    }
    if (call->stream != NULL) {
        call->stream->moved = true;
        call->stream->kept = false;
    }
    if (call->trace != NULL) {
        sp_call_trace_again(call, err);
    }
    call->retries++;
    pool->counters.retries++;
    // Whoever waits in its slot must not take another call's answer for its own.
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    sp_line_put_delayed(&pool->line, call);
    if (sp_call_is_pending(call)) {
        sp_pending_set_due(&pool->pending, call, call->retry_at);
    }
}

void sp_attempt_resume(struct sp_pool *pool,
                       struct sp_call *call,
                       uint64_t now,
                       struct sp_after *after)
{
    const struct sp_failure failure = {.err = sp_pool_refuses(pool), .stage = "line"};
    bool serves = failure.err == SNAKEPIT_OK || sp_pool_finishes_calls(pool);
    sp_line_remove(&pool->line, call);
    call->retry_at = 0;
    if (!serves) {
        sp_pool_fail_call(pool, call, &failure, after);
        return;
    }
    call->line_deadline = sp_call_until(now, pool->options.queue_timeout_ms);
    if (call->line_deadline > call->deadline) {
        call->line_deadline = call->deadline;
    }
    sp_affinity_wait(pool, call);
    // At once: whoever waits for the call looks where it is before it sleeps.
    pool->freed = true;
    sp_pool_fill_freed(pool, after);
}
