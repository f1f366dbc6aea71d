// SPDX-License-Identifier: MIT
// How a call ends: by its answer, by its time, by its caller, or by the death of its
// worker. All of them meet in sp_pool_end(), under the lock, once.
#include "pool/inside.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "pool/attempt.h"
#include "pool/guard.h"
#include "pool/placement.h"
#include "pool/stream.h"
#include "pool/trace.h"
#include "telemetry/spans.h"

// ---- Answers -----------------------------------------------------------

// A tool that once took long is not taken for slow for long.
#define LEARNED_US_MOST UINT64_C(10000000)

static void learn(struct sp_pool *pool, const struct sp_call *call, uint64_t ran_ticks)
{
    uint64_t most = LEARNED_US_MOST * sp_clock_ticks_per_us();
    uint64_t ran = ran_ticks < most ? ran_ticks : most;
    ran = ran > 0 ? ran : 1;
    if (call->trace != NULL) {
        sp_exemplars_note(&pool->times.traced,
                          call->trace->call.trace,
                          sp_times_ns(&pool->times, ran_ticks),
                          sp_spans_now() / SP_NS_PER_MS);
    }
    pool->ran_average =
        pool->ran_average == 0 ? ran : (7 * pool->ran_average + ran) / 8;
}

static void count_answer(struct sp_pool *pool,
                         const struct sp_call *call,
                         const struct sp_port_answer *answer)
{
    const bool streamed = call->stream != NULL; // how long that takes is its reader's
    sp_times_ran(&pool->times, call, answer, streamed ? NULL : &call->tool->run);
    if (call->err == SNAKEPIT_OK) {
        pool->traffic.results += answer->body_size;
    }
    if (!streamed) {
        learn(pool, call, answer->ran_ticks);
    } else {
        pool->times.streamed_ns += sp_times_ns(&pool->times, answer->ran_ticks);
    }
}

// Keeps what the worker wrote: a small body as a copy, a large one by its lease.
static void keep_answer(struct sp_pool *pool,
                        struct sp_call *call,
                        struct sp_port *port,
                        const struct sp_port_answer *answer)
{
    call->err = answer->status == SP_STATUS_OK ? SNAKEPIT_OK : SNAKEPIT_TOOL_FAILED;
    call->body = (struct sp_slice){answer->body, answer->body_size};
    if (answer->body_size <= sizeof call->room) {
        memcpy(call->room, answer->body, answer->body_size);
        call->body.data = call->room;
    }
    if (answer->lease != SP_NO_LEASE || answer->body_size > sizeof call->room) {
        sp_port_ref(port);
        call->port = port;
        call->result_lease = answer->lease;
        pool->results_held += answer->lease != SP_NO_LEASE;
    }
}

// A worker that broke the protocol is killed later; its call is answered now.
void sp_pool_fail_for_violation(struct sp_pool *pool,
                                struct sp_call *call,
                                struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    struct sp_failure failure = {
        .err = SNAKEPIT_PROTOCOL, .stage = "running", .worker = seat->worker_id};
    sp_pool_violation(pool, seat);
    // Its slot and its parcel stay with the worker until that is dead.
    sp_pool_abandon(pool, call, &failure, after);
}

// A tool that has raised is called once more, if its call may be. False: that is the
// answer. What Python still holds of the arguments is not sent again.
static bool try_again(struct sp_pool *pool,
                      struct sp_call *call,
                      const struct sp_port_answer *answer)
{
    struct sp_seat *seat = call->placement.seat;
    const struct sp_slice body = {answer->body, answer->body_size};
    bool is_whole = !answer->held || call->parcel->share_count == 0;
    snakepit_err err = answer->status == SP_STATUS_OK
                           ? SNAKEPIT_OK
                           : sp_call_fault_err(body, pool->options.relays);
    if (err == SNAKEPIT_OK || !is_whole ||
        !sp_attempt_may_follow(pool, call, seat, err)) {
        return false;
    }
    sp_placement_end_lease(pool, call, seat, answer->held);
    sp_port_return_result(seat->port, answer->lease);
    sp_pool_unplace(pool, call);
    sp_attempt_delay(pool, call, err);
    return true;
}

void sp_pool_end_with_answer(struct sp_pool *pool,
                             struct sp_call *call,
                             struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    struct sp_port_answer answer;
    if (call->stream != NULL) {
        sp_stream_keep(call);
    }
    if (sp_port_take_answer(seat->port, call->placement.slot, &answer) != SNAKEPIT_OK ||
        answer.status == SP_STATUS_SKIPPED) {
        sp_pool_fail_for_violation(pool, call, after);
        return;
    }
    if (call->trace != NULL) {
        sp_call_trace_ran(call, &answer);
    }
    if (answer.status != SP_STATUS_OK && try_again(pool, call, &answer)) {
        return;
    }
    sp_placement_end_lease(pool, call, seat, answer.held);
    keep_answer(pool, call, seat->port, &answer);
    call->fault.worker = seat->worker_id;
    sp_pool_meet_tool(pool, call);
    call->ran_ticks = answer.ran_ticks;
    call->executor = (uint16_t)(answer.executor < SP_EXECUTOR_NONE ? answer.executor
                                                                   : SP_EXECUTOR_NONE);
    if (pool->options.relays) {
        call->retries = answer.executor;
    }
    if (!call->checks) {
        count_answer(pool, call, &answer);
    }
    if (call->asynchronous) {
        uint32_t cpu = atomic_load_explicit(&seat->port->view.header->worker_cpu,
                                            memory_order_relaxed);
        atomic_store_explicit(&pool->peer_cpu, cpu, memory_order_relaxed);
    }
    sp_pool_unplace(pool, call);
    sp_pool_end(pool, call, after);
}

// ---- Giving up ----------------------------------------------------------------

void sp_pool_note_run(struct sp_call *call)
{
    struct sp_port_run run;
    const uint64_t now = sp_clock_ticks();
    if (sp_port_find_run(call->placement.seat->port, call->id, &run) &&
        run.executor < SP_EXECUTOR_NONE) {
        call->executor = (uint16_t)run.executor;
        call->ran_ticks = now > run.since ? now - run.since : 0;
    }
}

// PROTOCOL does not mean that the call was given up: its worker is about to be killed.
static struct sp_orphan *orphan_of(struct sp_call *call, snakepit_err err)
{
    // The record was made with the parcel, so that giving up needs no memory.
    struct sp_orphan *orphan = call->parcel->orphan;
    bool is_given_up = err != SNAKEPIT_PROTOCOL;
    uint64_t now = sp_clock_now();
    call->parcel->orphan = NULL;
    *orphan = (struct sp_orphan){
        .parcel = call->parcel,
        .call = call->id,
        .since = now,
        .due = err == SNAKEPIT_DEADLINE_EXCEEDED ? call->deadline : now,
        .began = sp_clock_ticks() - call->ran_ticks,
        .slot = call->placement.slot,
        .lease = call->placement.lease,
        .served = call->placement.served,
        .counts = is_given_up && !call->checks,
        .checks = call->checks,
        .refs = is_given_up ? 2 : 1,
        .stop = SNAKEPIT_STOP_COOPERATIVE,
    };
    call->orphan = is_given_up ? orphan : NULL;
    call->left_parcel = call->parcel;
    call->parcel = NULL;
    call->placement.lease = SP_NO_LEASE;
    return orphan;
}

// The call leaves, its slot stays in use until the worker is done with it.
static void leave_orphan(struct sp_pool *pool, struct sp_call *call, snakepit_err err)
{
    struct sp_seat *seat = call->placement.seat;
    struct sp_orphan *orphan = orphan_of(call, err);
    sp_list_append(&seat->orphans, &orphan->link);
    sp_placement_end(pool, call);
    pool->orphans++;
    pool->hooks.attention(pool->hooks.user);
}

void sp_pool_abandon(struct sp_pool *pool,
                     struct sp_call *call,
                     const struct sp_failure *failure,
                     struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    struct sp_port *port = seat->port;
    struct sp_failure told = *failure;
    told.worker = seat->worker_id;
    // A waiter that the slot wakes must see that it has no business there any more.
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (!seat->violated && sp_port_take_back(port, call->placement.slot)) {
        told.stage = "worker";
        sp_pool_unplace(pool, call);
        sp_pool_await_skip(pool, seat);
    } else {
        told.stage = "running";
        sp_pool_meet_tool(pool, call);
        sp_pool_note_run(call);
        if (!call->checks) {
            sp_guard_note(pool, call, told.err, true);
        }
        sp_port_cancel(port, call->placement.slot);
        // Where this fails the worker has just ended the call, or writes nonsense;
        // either way the tick looks at the slot again.
        (void)sp_port_give_up(port, call->placement.slot);
        leave_orphan(pool, call, failure->err);
    }
    sp_pool_fail_call(pool, call, &told, after);
    pool->freed = true;
}

void sp_pool_give_up(struct sp_pool *pool,
                     struct sp_call *call,
                     snakepit_err err,
                     struct sp_after *after)
{
    struct sp_failure failure = {.err = err, .stage = "line"};
    if (call->phase == SP_CALL_IN_LINE) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
    } else if (call->phase == SP_CALL_PLACED) {
        sp_pool_abandon(pool, call, &failure, after);
    }
}

bool sp_pool_is_late(const struct sp_pool *pool,
                     const struct sp_call *call,
                     uint64_t now)
{
    if (pool->hooks.where == NULL || call->phase != SP_CALL_PLACED ||
        now < call->deadline) {
        return false;
    }
    return sp_port_state(call->placement.seat->port, call->placement.slot) ==
           SP_SLOT_RUNNING;
}

void sp_pool_see(struct sp_pool *pool,
                 const struct sp_call *call,
                 struct sp_buf *stack,
                 struct sp_after *after)
{
    const uint64_t worker = call->placement.seat->worker_id;
    const uint64_t id = call->id;
    sp_pool_unlock(pool, after);
    pool->hooks.where(pool->hooks.user, worker, id, stack);
    if (sp_buf_append(stack, "", 1) != SNAKEPIT_OK) {
        sp_buf_fini(stack);
    }
    after->woke = false;
    pthread_mutex_lock(&pool->lock);
}

void sp_pool_expire(struct sp_pool *pool,
                    struct sp_call *call,
                    uint64_t now,
                    const char *stack,
                    struct sp_after *after)
{
    struct sp_failure failure = {.err = SNAKEPIT_DEADLINE_EXCEEDED, .stage = "line"};
    if (call->phase == SP_CALL_IN_LINE && call->retry_at != 0) {
        if (now >= call->retry_at) {
            sp_attempt_resume(pool, call, now, after);
        }
    } else if (call->phase == SP_CALL_IN_LINE && now >= call->line_deadline) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
        pool->freed = true;
    } else if (call->phase == SP_CALL_PLACED && now >= call->deadline) {
        failure.late_stack = stack;
        sp_pool_abandon(pool, call, &failure, after);
    }
}

static void
count_stop(struct sp_pool *pool, const struct sp_orphan *orphan, uint64_t now)
{
    struct sp_pool_counters *counters = &pool->counters;
    uint64_t after = sp_orphan_after_us(orphan, now);
    counters->stopped[atomic_load_explicit(&orphan->stop, memory_order_relaxed)]++;
    counters->stop_total_us += after;
    counters->stop_max_us =
        after > counters->stop_max_us ? after : counters->stop_max_us;
}

void sp_pool_release_orphan(struct sp_pool *pool,
                            struct sp_seat *seat,
                            struct sp_orphan *orphan,
                            snakepit_stop stop,
                            bool held)
{
    uint64_t now = sp_clock_now();
    sp_orphan_end(orphan, stop, now);
    if (orphan->counts) {
        count_stop(pool, orphan, now);
        sp_times_add(&pool->times, &pool->times.lost, sp_clock_ticks() - orphan->began);
    }
    if (orphan->lease != SP_NO_LEASE) {
        sp_seat_end_lease(&pool->store, seat, orphan->lease, orphan->parcel, held);
    }
    sp_parcel_free(&pool->store, orphan->parcel);
    sp_list_remove(&orphan->link);
    if (!orphan->served) {
        sp_loads_set_load(&pool->loads, seat, seat->load - 1);
    }
    pool->orphans--;
    pool->freed = true;
    if (pool->orphans == 0 && pool->state == SP_POOL_STOPPING) {
        pool->hooks.changed(pool->hooks.user);
    }
    sp_orphan_unref(orphan);
}
