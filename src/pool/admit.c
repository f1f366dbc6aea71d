// SPDX-License-Identifier: MIT
// How a call gets to a worker: straight into a slot if one has room, into the line
// otherwise. The request is written to shared memory before, without the lock, so under
// the lock there is nothing but a few links and one cache line of the slot.
#include "pool/inside.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/prefetch.h"
#include "base/probes.h"
#include "pool/affinity.h"
#include "pool/guard.h"
#include "pool/question.h"
#include "pool/spares.h"
#include "pool/stream.h"
#include "pool/trace.h"

// ---- The request --------------------------------------------------------------

// A long deadline may be a tick of the kernel early; a short one is exact.
#define LONG_MS 1000u

static uint64_t clock_for(uint32_t timeout_ms, uint32_t line_ms)
{
    bool is_long = (timeout_ms == 0 || timeout_ms >= LONG_MS) &&
                   (line_ms == 0 || line_ms >= LONG_MS);
    return is_long ? sp_clock_coarse() : sp_clock_now();
}

static void set_deadlines(struct sp_call *call, const struct sp_order *order)
{
    const struct sp_pool_options *options = &call->pool->options;
    uint64_t begun = order->text.begun;
    uint32_t whole =
        order->timeout_ms != 0 ? order->timeout_ms : options->call_timeout_ms;
    uint64_t now = begun != 0 ? begun : clock_for(whole, options->queue_timeout_ms);
    uint64_t own = sp_call_until(now, whole);
    uint64_t line = sp_call_until(now, options->queue_timeout_ms);
    call->deadline = sp_call_until(now, whole == 0 ? 0 : whole + options->slack_ms);
    call->line_deadline = line < own ? line : own; // nobody else would tell that
}

// The tool sees the span that it runs in.
static snakepit_err fill_traced(struct sp_call *call, const struct sp_order *order)
{
    struct sp_trace_context within;
    struct sp_request_text text = order->text;
    if (sp_call_trace_begin(call, order, &within)) {
        text.trace = &within;
    }
    return sp_parcel_fill(&call->pool->store, call->parcel, &text);
}

// Writes the request. No lock.
static snakepit_err prepare(struct sp_call *call, const struct sp_order *order)
{
    struct sp_store *store = &call->pool->store;
    if (call->likely != NULL) {
        // The worker had these cache lines last; they travel while the arguments are
        // written.
        sp_prefetch_for_write(&call->likely->request);
        sp_prefetch_for_write(&call->likely->result);
    }
    set_deadlines(call, order);
    call->idempotent = order->idempotent;
    call->priority = order->priority;
    call->asks = order->asks;
    call->asks_user = order->asks_user;
    if (call->parcel == NULL) {
        snakepit_err err = sp_parcel_new(store, &call->parcel);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    snakepit_err err = order->spans != NULL
                           ? fill_traced(call, order)
                           : sp_parcel_fill(store, call->parcel, &order->text);
    // Reading the arguments may have taken all of its time.
    uint64_t slack = call->pool->options.slack_ms * SP_NS_PER_MS;
    bool late = order->text.begun != 0 && sp_clock_now() + slack >= call->deadline;
    return err == SNAKEPIT_OK && late ? SNAKEPIT_DEADLINE_EXCEEDED : err;
}

// ---- Admission ----------------------------------------------------------------

// Into a slot or into a line; or not at all, when its fault may be set already.
static snakepit_err
admit(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    snakepit_err err = sp_pool_refuses(pool);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_guard_refuses(pool, call)) {
        return SNAKEPIT_BREAKER_OPEN;
    }
    call->id = sp_call_id(++pool->last_call, pool->options.index);
    call->rank = sp_call_rank(pool->last_call, call->priority);
    const struct sp_slice tool = sp_parcel_tool(&pool->store, call->parcel);
    SP_PROBE4(call_begin, call->id, pool->name, tool.data, tool.size);
    if (call->parcel->session_size > 0) {
        err = sp_affinity_join(pool, call);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    err = sp_question_place(pool, call);
    if (err != SNAKEPIT_NOT_FOUND) {
        return err;
    }
    if (!sp_affinity_must_wait(pool, call)) {
        enum sp_placed placed = sp_schedule_place(pool, call, after);
        const struct sp_failure *refusal = sp_schedule_refusal(placed);
        if (placed == SP_PLACED) {
            return SNAKEPIT_OK;
        }
        if (refusal != NULL) {
            sp_pool_explain(call, refusal);
            return refusal->err;
        }
    }
    if (sp_line_is_full(&pool->line)) {
        sp_crowd_note_refusal(pool);
        return SNAKEPIT_SATURATED;
    }
    sp_affinity_wait(pool, call);
    sp_crowd_note_wait(pool);
    return SNAKEPIT_OK;
}

static void refuse(struct sp_pool *pool,
                   struct sp_call *call,
                   snakepit_err err,
                   struct sp_after *after)
{
    struct sp_failure failure = {.err = err, .stage = "line"};
    if (err == SNAKEPIT_POOL_FAILED || err == SNAKEPIT_POOL_DOWN ||
        err == SNAKEPIT_DAEMON_LOST) {
        failure.message = pool->failure;
    } else if (err == SNAKEPIT_NO_MEMORY) {
        failure.message = "the arguments do not fit into what is left of the pool's "
                          "shared_memory_size; raise it, or free tensors";
    }
    if (call->err == SNAKEPIT_OK) {
        sp_pool_explain(call, &failure);
    }
    sp_pool_end(pool, call, after);
}

// The tick watches a call that no thread waits for.
static void watch(struct sp_pool *pool, struct sp_call *call)
{
    bool first = pool->pending.count == 0;
    sp_pending_add(&pool->pending, call, sp_call_due(call));
    if (call->reports) {
        sp_pool_lane(pool, call)->open++;
    } else {
        sp_list_append(&pool->streams, &call->stream_link);
    }
    if (first) {
        pool->hooks.attention(pool->hooks.user);
    }
}

// Without memory for its request nobody knows which one it was.
static struct sp_tool *tool_of(struct sp_pool *pool, const struct sp_call *call)
{
    return call->parcel == NULL
               ? &pool->tools.other
               : sp_tools_find(&pool->tools,
                               sp_parcel_tool(&pool->store, call->parcel));
}

// Its tensors may be others' as well, and count for each.
static void count_arguments(struct sp_pool *pool, const struct sp_call *call)
{
    const struct sp_parcel *parcel = call->parcel;
    pool->traffic.arguments += parcel->body_size;
    for (uint32_t i = 0; i < parcel->share_count; i++) {
        pool->traffic.tensors += parcel->shares[i]->bytes;
    }
}

// Admits a call whose request was written, unless that went wrong with `err`; or ends
// it.
static snakepit_err enter(struct sp_pool *pool,
                          struct sp_call *call,
                          snakepit_err err,
                          struct sp_after *after)
{
    err = err == SNAKEPIT_OK ? admit(pool, call, after) : err;
    call->tool = tool_of(pool, call); // while its worker begins
    sp_times_count(&pool->times);
    bool pending = sp_call_is_pending(call);
    if (err == SNAKEPIT_OK) {
        count_arguments(pool, call);
    }
    if (err == SNAKEPIT_OK && pending) {
        watch(pool, call);
    } else if (err != SNAKEPIT_OK) {
        call->asynchronous = false;
        call->reports = false;
        call->stream = NULL;
        call->id = pending ? 0 : call->id; // there is nothing to cancel
        refuse(pool, call, err, after);
    }
    return err;
}

// ---- Orders -------------------------------------------------------------------

snakepit_err sp_pool_call(struct sp_pool *pool,
                          const struct sp_order *order,
                          struct sp_call **answer)
{
    struct sp_after after = {0};
    struct sp_call *call = sp_spares_take(pool);
    *answer = call;
    if (call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    after.self = call;
    snakepit_err err = prepare(call, order);
    bool within = sp_question_is_open();
    if (within) {
        sp_question_limit(call);
    }
    pthread_mutex_lock(&pool->lock);
    (void)enter(pool, call, err, &after);
    while (call->phase != SP_CALL_ENDED) {
        sp_pool_wait_once(pool, call, &after);
    }
    if (within) {
        sp_question_resume(pool, &after);
    }
    sp_pool_unlock(pool, &after);
    sp_call_open(call);
    return call->err;
}

snakepit_err sp_pool_submit(struct sp_pool *pool, const struct sp_order *order)
{
    struct sp_after after = {0};
    struct sp_call *call = sp_spares_take(pool);
    if (call == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = prepare(call, order);
    call->done = order->done;
    call->user = order->user;
    call->asynchronous = true;
    call->reports = true;
    call->queue = order->queue;
    pthread_mutex_lock(&pool->lock);
    err = enter(pool, call, err, &after);
    if (err == SNAKEPIT_OK && order->id != NULL) {
        *order->id = call->id;
    }
    sp_pool_unlock(pool, &after);
    if (err != SNAKEPIT_OK) {
        if (order->why != NULL) {
            (void)snprintf(
                order->why->text, sizeof order->why->text, "%s", call->fault.message);
        }
        sp_pool_release(call);
    }
    return err;
}

snakepit_err sp_pool_begin_stream(struct sp_pool *pool,
                                  const struct sp_order *order,
                                  struct sp_stream *stream)
{
    struct sp_after after = {0};
    struct sp_call *call = stream->call;
    snakepit_err err = prepare(call, order);
    sp_question_limit(call);
    call->stream = stream;
    call->reports = order->ready != NULL;
    call->queue = order->queue;
    stream->ready = order->ready;
    stream->ready_user = order->ready_user;
    stream->awaits = order->ready != NULL;
    stream->read.begun = order->text.begun != 0 ? order->text.begun : sp_clock_now();
    pthread_mutex_lock(&pool->lock);
    err = enter(pool, call, err, &after);
    stream->moves_seen = atomic_load_explicit(&call->moves, memory_order_relaxed);
    sp_pool_unlock(pool, &after);
    return err;
}
