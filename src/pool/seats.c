// SPDX-License-Identifier: MIT
// Workers come, go and misbehave; what the control plane tells the pool about them.
#include "pool/inside.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "pool/affinity.h"
#include "pool/attempt.h"
#include "pool/stream.h"

snakepit_err sp_pool_add_seat(struct sp_pool *pool,
                              const struct sp_seat_terms *terms,
                              struct sp_seat **seat)
{
    struct sp_after after = {0};
    struct sp_port *port = terms->port;
    snakepit_err err = sp_seat_new(port, port->view.shape.executors, seat);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_buf_append(
        &(*seat)->idempotent, terms->idempotent.data, terms->idempotent.size);
    if (err == SNAKEPIT_OK) {
        err =
            sp_buf_append(&(*seat)->batches, terms->batches.data, terms->batches.size);
    }
    if (err != SNAKEPIT_OK) {
        sp_seat_free(&pool->store, *seat);
        return err;
    }
    (*seat)->worker = terms->worker;
    (*seat)->worker_id = terms->worker_id;
    (*seat)->left = terms->requests > 0 ? terms->requests : UINT64_MAX;
    // Whoever drains may sleep already, and has not told this worker so.
    atomic_store_explicit(&port->view.header->asleep, UINT64_MAX, memory_order_release);
    pthread_mutex_lock(&pool->lock);
    sp_list_append(&pool->seats, &(*seat)->member);
    sp_loads_add(&pool->loads, *seat);
    sp_windows_review(pool);
    if (pool->windows.count > 0) {
        pool->hooks.attention(pool->hooks.user);
    }
    pool->freed = true;
    pool->fails_to_start = false;
    pool->hooks.changed(pool->hooks.user); // some wait for the first worker
    sp_pool_unlock(pool, &after);
    return SNAKEPIT_OK;
}

void sp_pool_set_shape(struct sp_pool *pool,
                       const char *profile,
                       uint32_t workers,
                       uint32_t threads)
{
    pthread_mutex_lock(&pool->lock);
    pool->profile = profile;
    pool->workers = workers;
    pool->threads = threads;
    pool->fails_to_start = false; // what is to be started now is another matter
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_set_workers(struct sp_pool *pool, uint32_t workers)
{
    pthread_mutex_lock(&pool->lock);
    pool->workers = workers;
    pool->fails_to_start = false;
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_note_failure(struct sp_pool *pool, const char *why)
{
    pthread_mutex_lock(&pool->lock);
    (void)snprintf(pool->failure, sizeof pool->failure, "%s", why);
    pool->fails_to_start = true;
    pool->counters.workers[SP_COUNTED_FAILED_STARTS]++;
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_count_worker(struct sp_pool *pool, enum sp_counted what)
{
    pthread_mutex_lock(&pool->lock);
    pool->counters.workers[what]++;
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_count_death(struct sp_pool *pool, enum sp_death how)
{
    pthread_mutex_lock(&pool->lock);
    pool->counters.workers[SP_COUNTED_DEATHS]++;
    pool->counters.deaths[how]++;
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_count_recycle(struct sp_pool *pool, enum sp_recycle why)
{
    pthread_mutex_lock(&pool->lock);
    pool->counters.workers[SP_COUNTED_RECYCLES]++;
    pool->counters.recycles[why]++;
    pthread_mutex_unlock(&pool->lock);
}

uint64_t sp_pool_recycles(struct sp_pool *pool, enum sp_recycle why)
{
    pthread_mutex_lock(&pool->lock);
    const uint64_t count = pool->counters.recycles[why];
    pthread_mutex_unlock(&pool->lock);
    return count;
}

void sp_pool_note_start(struct sp_pool *pool, uint64_t ns)
{
    pthread_mutex_lock(&pool->lock);
    sp_histogram_add(&pool->times.start, ns);
    pthread_mutex_unlock(&pool->lock);
}

static uint32_t count_held(const struct sp_pool *pool)
{
    uint32_t held = 0;
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        held += SP_ENTRY(link, struct sp_seat, member)->leases_held;
    }
    return held;
}

void sp_pool_figures(struct sp_pool *pool, struct sp_figures *figures)
{
    pthread_mutex_lock(&pool->lock);
    sp_times_count(&pool->times);
    figures->start = pool->times.start;
    figures->handover = pool->times.handover;
    figures->chunk = pool->times.chunk;
    figures->traced = pool->times.traced;
    figures->traffic = pool->traffic;
    figures->questions = pool->counters.questions;
    figures->waited_most = pool->line.highest;
    figures->held_by_program = pool->results_held;
    figures->held_by_python = count_held(pool);
    memcpy(figures->deaths, pool->counters.deaths, sizeof figures->deaths);
    memcpy(figures->recycles, pool->counters.recycles, sizeof figures->recycles);
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_part_seat(struct sp_pool *pool,
                       struct sp_seat *seat,
                       struct sp_after *after)
{
    sp_loads_remove(&pool->loads, seat);
    sp_affinity_part(pool, seat);
    while (!sp_list_empty(&seat->waiting)) {
        struct sp_call *call = SP_ENTRY(seat->waiting.next, struct sp_call, link);
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, sp_schedule_refusal(SP_LOST), after);
    }
    if (sp_link_used(&seat->waited_for)) {
        sp_list_remove(&seat->waited_for);
    }
}

void sp_pool_close_seat(struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    sp_pool_part_seat(pool, seat, &after);
    sp_pool_unlock(pool, &after);
}

// A call that its worker never began, and that has left its seat. It waits again as
// long as somebody may still run it, and else ends, saying why nobody does.
static void requeue(struct sp_pool *pool,
                    struct sp_call *call,
                    uint64_t worker,
                    struct sp_after *after)
{
    static const struct sp_failure unchecked = {.err = SNAKEPIT_WORKER_LOST};
    bool bound = sp_affinity_binds(pool, call);
    if (call->checks) {
        sp_pool_fail_call(pool, call, &unchecked, after);
        return;
    }
    snakepit_err refusal = sp_pool_refuses(pool);
    if (!bound && (refusal == SNAKEPIT_OK || sp_pool_finishes_calls(pool))) {
        sp_line_put_sorted(&pool->line, &pool->line.calls, call);
        if (sp_call_is_pending(call)) {
            sp_pending_set_due(&pool->pending, call, sp_call_due(call));
        }
        return;
    }
    bool down = refusal == SNAKEPIT_POOL_FAILED || refusal == SNAKEPIT_POOL_DOWN ||
                refusal == SNAKEPIT_DAEMON_LOST;
    const struct sp_failure failure = {.err = bound ? SNAKEPIT_SESSION_LOST : refusal,
                                       .message = down && !bound ? pool->failure : NULL,
                                       .stage = "worker",
                                       .worker = worker};
    sp_pool_fail_call(pool, call, &failure, after);
}

// One call of a worker that leaves. A call that was made from within a host's tool
// stays: it is part of the call that asked.
static void
send_back(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    if (call->placement.served ||
        !sp_port_take_back(seat->port, call->placement.slot)) {
        return;
    }
    sp_pool_unplace(pool, call);
    sp_pool_moved(call, after);
    requeue(pool, call, seat->worker_id, after);
}

void sp_pool_empty_seat(struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_after after = {0};
    struct sp_link *before;
    pthread_mutex_lock(&pool->lock);
    seat->leaves = true;
    sp_pool_part_seat(pool, seat, &after);
    // Newest first, so that they keep their order.
    for (struct sp_link *link = seat->calls.previous; link != &seat->calls;
         link = before) {
        before = link->previous;
        send_back(pool, SP_ENTRY(link, struct sp_call, placement.link), &after);
    }
    pool->freed = true;
    sp_pool_unlock(pool, &after);
}

bool sp_pool_seat_is_busy(struct sp_pool *pool, struct sp_seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    bool busy = !sp_list_empty(&seat->calls) || !sp_list_empty(&seat->orphans);
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

// One call of a dead worker. It goes back to the line if it certainly never ran, or if
// it may be run once more, and can still run elsewhere.
static void fail_or_requeue(struct sp_pool *pool,
                            struct sp_call *call,
                            const struct sp_failure *failure,
                            struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    uint32_t slot = call->placement.slot;
    // The waiter sees that it was moved before it sees the slot.
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (!seat->violated && sp_port_state(seat->port, slot) == SP_SLOT_DONE) {
        sp_port_wake(seat->port, slot);
        sp_pool_end_with_answer(pool, call, after);
        return;
    }
    // Taken back, not looked at: a thread that is still dying could take it in between.
    bool ran = !sp_port_take_back(seat->port, slot);
    bool again = ran && sp_attempt_may_follow(pool, call, seat, failure->err);
    if (ran && call->checks) {
        seat->died_in_check = true;
        pool->counters.workers[SP_COUNTED_FAILED_CHECKS]++;
    }
    if (ran && call->stream != NULL && !seat->violated) {
        sp_stream_keep(call); // what was written before is read before the fault
    }
    if (ran && !again) {
        sp_pool_note_run(call);
        if (call->ran_ticks > 0 && !call->checks) {
            sp_times_add(&pool->times, &pool->times.lost, call->ran_ticks);
        }
    }
    sp_pool_unplace(pool, call);
    sp_port_wake(seat->port, slot);
    sp_port_drop(seat->port, slot);
    if (again) {
        sp_attempt_delay(pool, call, failure->err);
    } else if (ran) {
        struct sp_failure told = *failure;
        told.worker = seat->worker_id;
        told.stage = "running";
        sp_pool_meet_tool(pool, call);
        sp_pool_fail_call(pool, call, &told, after);
    } else {
        requeue(pool, call, seat->worker_id, after);
    }
}

// Its tool may have ended before the worker did. An answer that makes no sense leaves
// it where it is, for the next turn.
static void
end_orphan(struct sp_pool *pool, struct sp_seat *seat, struct sp_orphan *orphan)
{
    if (!seat->violated && sp_port_state(seat->port, orphan->slot) == SP_SLOT_DONE) {
        sp_pool_reap_slot(pool, seat, orphan->slot);
    } else {
        seat->died_in_check = seat->died_in_check || orphan->checks;
        sp_pool_release_orphan(pool, seat, orphan, SNAKEPIT_STOP_KILLED, false);
    }
}

void sp_pool_seat_died(struct sp_pool *pool,
                       struct sp_seat *seat,
                       const struct sp_failure *failure)
{
    struct sp_after after = {0};
    struct sp_link *link;
    pthread_mutex_lock(&pool->lock);
    seat->dead = true;
    if (failure->err == SNAKEPIT_PROTOCOL && !seat->violated) {
        pool->counters.violations++;
    }
    // A seat that takes no calls has a successor, or its worker was missed before.
    if (seat->open && pool->state == SP_POOL_READY) {
        pool->state = SP_POOL_DEGRADED;
        pool->hooks.changed(pool->hooks.user);
    }
    sp_pool_part_seat(pool, seat, &after);
    sp_schedule_let_spent_serve(pool);
    sp_windows_review(pool);
    // Newest first, so that those that go back to the line keep their order.
    while (!sp_list_empty(&seat->calls)) {
        fail_or_requeue(pool,
                        SP_ENTRY(seat->calls.previous, struct sp_call, placement.link),
                        failure,
                        &after);
    }
    while ((link = seat->orphans.next) != &seat->orphans) {
        end_orphan(pool, seat, SP_ENTRY(link, struct sp_orphan, link));
    }
    pool->freed = true;
    sp_pool_unlock(pool, &after);
}

bool sp_pool_seat_died_in_check(struct sp_pool *pool, struct sp_seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    bool died = seat->died_in_check;
    pthread_mutex_unlock(&pool->lock);
    return died;
}

void sp_pool_remove_seat(struct sp_pool *pool, struct sp_seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    SP_CHECK(!seat->open);
    struct sp_call *check = seat->check;
    sp_list_remove(&seat->member);
    sp_seat_free(&pool->store, seat);
    sp_windows_review(pool);
    pthread_mutex_unlock(&pool->lock);
    if (check != NULL) {
        sp_pool_release(check);
    }
}

void sp_pool_end_session(struct sp_pool *pool, const char *session, uint32_t size)
{
    pthread_mutex_lock(&pool->lock);
    sp_ties_end(&pool->ties, session, size);
    pthread_mutex_unlock(&pool->lock);
}

bool sp_pool_runs_session(struct sp_pool *pool, const char *session, uint32_t size)
{
    pthread_mutex_lock(&pool->lock);
    bool runs = sp_ties_are_busy(&pool->ties, session, size);
    pthread_mutex_unlock(&pool->lock);
    return runs;
}
