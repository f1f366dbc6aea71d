// SPDX-License-Identifier: MIT
// Workers come, go and misbehave; what the control plane tells the pool about them.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "pool/affinity.h"
#include "pool/stream.h"

#define STUCK_NS SP_NS_PER_S // of an executor that could be late on a busy machine

snakepit_err sp_pool_add_seat(struct sp_pool *pool,
                              struct sp_port *port,
                              void *worker,
                              uint64_t worker_id,
                              struct sp_seat **seat)
{
    struct sp_after after = {0};
    snakepit_err err = sp_seat_new(port, port->view.shape.executors, seat);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    (*seat)->worker = worker;
    (*seat)->worker_id = worker_id;
    // Whoever drains may sleep already, and did not tell this worker.
    atomic_store_explicit(&port->view.header->host_asleep, 1, memory_order_release);
    pthread_mutex_lock(&pool->lock);
    sp_list_append(&pool->seats, &(*seat)->member);
    sp_schedule_add(&pool->schedule, *seat);
    sp_pool_dispatch(pool, &after);
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
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_note_failure(struct sp_pool *pool, const char *why)
{
    pthread_mutex_lock(&pool->lock);
    (void)snprintf(pool->failure, sizeof pool->failure, "%s", why);
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_count_workers(struct sp_pool *pool, uint32_t starts, uint32_t deaths)
{
    pthread_mutex_lock(&pool->lock);
    pool->counters.starts += starts;
    pool->counters.deaths += deaths;
    pthread_mutex_unlock(&pool->lock);
}

void sp_pool_close_seat(struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    sp_schedule_remove(&pool->schedule, seat);
    sp_affinity_part(pool, seat, &after);
    sp_pool_unlock(pool, &after);
}

bool sp_pool_seat_is_busy(struct sp_pool *pool, struct sp_seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    bool busy = !sp_list_empty(&seat->calls) || !sp_list_empty(&seat->orphans);
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

// One call of a dead worker. It goes back to the line if it certainly never ran and can
// still run elsewhere.
static void bereave(struct sp_pool *pool,
                    struct sp_call *call,
                    const struct sp_failure *failure,
                    struct sp_after *after)
{
    struct sp_seat *seat = call->seat;
    uint32_t slot = call->slot;
    // The waiter sees that it was moved before it sees the slot.
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (!seat->violated && sp_port_state(seat->port, slot) == SP_SLOT_DONE) {
        sp_port_wake(seat->port, slot);
        sp_pool_end_with_answer(pool, call, after);
        return;
    }
    // Taken back, not looked at: a thread that is still dying could take it in between.
    bool ran = !sp_port_take_back(seat->port, slot);
    struct sp_failure told = *failure;
    told.worker = seat->worker_id;
    told.stage = ran ? "running" : "worker";
    if (ran && call->stream != NULL && !seat->violated) {
        sp_stream_keep(call); // what was written before is read before the fault
    }
    sp_pool_unplace(pool, call);
    sp_port_wake(seat->port, slot);
    sp_port_drop(seat->port, slot);
    bool bound = sp_affinity_binds(pool, call);
    if (!ran && !bound && sp_pool_refuses(pool) == SNAKEPIT_OK) {
        sp_line_put_first(&pool->line, call);
        return;
    }
    if (!ran) {
        told.err = bound ? SNAKEPIT_SESSION_LOST : SNAKEPIT_WORKER_LOST;
        told.message = NULL;
    }
    sp_pool_fail_call(pool, call, &told, after);
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
    if (pool->state == SP_POOL_READY) {
        pool->state = SP_POOL_DEGRADED;
        pool->hooks.changed(pool->hooks.user);
    }
    sp_schedule_remove(&pool->schedule, seat);
    sp_affinity_part(pool, seat, &after);
    // Newest first, so that those that go back to the line keep their order.
    while (!sp_list_empty(&seat->calls)) {
        bereave(pool,
                SP_ENTRY(seat->calls.previous, struct sp_call, seat_link),
                failure,
                &after);
    }
    while ((link = seat->orphans.next) != &seat->orphans) {
        sp_pool_bury_orphan(pool, seat, SP_ENTRY(link, struct sp_orphan, link), false);
    }
    sp_pool_dispatch(pool, &after);
    sp_pool_unlock(pool, &after);
}

void sp_pool_remove_seat(struct sp_pool *pool, struct sp_seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    SP_CHECK(!seat->open);
    sp_list_remove(&seat->member);
    sp_seat_free(&pool->store, seat);
    pthread_mutex_unlock(&pool->lock);
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

// ---- The tick -----------------------------------------------------------------

// One tick.
struct turn {
    uint64_t now;
    const struct sp_pool_orders *orders;
    struct sp_after *after;
};

// The asynchronous call behind `mark`, which moves behind it; NULL at the end, when
// `mark` is in the list no more. Ending one call can end others, so no call can keep
// the place in the list.
static struct sp_call *next_async(struct sp_pool *pool, struct sp_link *mark)
{
    struct sp_link *link = mark->next;
    sp_list_remove(mark);
    if (link == &pool->asyncs) {
        return NULL;
    }
    sp_list_prepend(link, mark);
    return SP_ENTRY(link, struct sp_call, async_link);
}

static void expire_asyncs(struct sp_pool *pool, uint64_t now, struct sp_after *after)
{
    struct sp_link mark;
    struct sp_call *call;
    sp_list_prepend(&pool->asyncs, &mark);
    while ((call = next_async(pool, &mark)) != NULL) {
        bool waits = call->phase == SP_CALL_IN_LINE;
        if (now >= (waits ? call->line_deadline : call->deadline)) {
            sp_pool_expire(pool, call, now, after);
        }
    }
}

// A stream that nobody reads must not keep its slot when its tool has come to its end.
static void settle_streams(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_link mark;
    struct sp_call *call;
    sp_list_prepend(&pool->asyncs, &mark);
    while ((call = next_async(pool, &mark)) != NULL) {
        if (sp_stream_has_ended(call)) {
            sp_pool_settle(pool, call, after);
        }
    }
}

// The worker is to be killed, see execute().
static void condemn(struct sp_seat *seat, const char *why)
{
    if (seat->condemned == NULL) {
        seat->condemned = why;
    }
}

// The next rung of the ladder for one given-up call; afterwards it may be gone.
static void follow_up(struct sp_pool *pool,
                      struct sp_seat *seat,
                      struct sp_orphan *orphan,
                      struct turn *turn)
{
    if (!seat->port->slots[orphan->slot].notify &&
        sp_port_state(seat->port, orphan->slot) == SP_SLOT_DONE) {
        // It ended in the moment it was given up, so it is not in the completion ring.
        sp_pool_reap_slot(pool, seat, orphan->slot, turn->after);
        return;
    }
    if (!orphan->told &&
        turn->orders->cancel(seat->worker, orphan->call, orphan->slot)) {
        orphan->told = true;
        return;
    }
    if (turn->now - orphan->since >= pool->options.cancel_grace_ms * SP_NS_PER_MS) {
        condemn(seat, "a call did not end in time and could not be cancelled");
    }
}

static bool has_idle_executor(const struct sp_seat *seat)
{
    const struct sp_port *port = seat->port;
    uint32_t busy = 0;
    for (uint32_t slot = 0; slot < port->view.shape.slots; slot++) {
        uint32_t state =
            port->slots[slot].call == 0 ? SP_SLOT_FREE : sp_port_state(port, slot);
        busy += state == SP_SLOT_RUNNING || state == SP_SLOT_ASKING ||
                state == SP_SLOT_HEARD;
    }
    return busy < seat->capacity;
}

// An executor that has nothing to do passes at once on what was taken back. Where that
// does not happen for long, none of them can: their interpreter is held by a thread or
// a signal handler of user code. Nothing that is handed to such a worker ever runs.
static void
watch_passing(struct sp_pool *pool, struct sp_seat *seat, const struct turn *turn)
{
    uint64_t grace = STUCK_NS + pool->options.cancel_grace_ms * SP_NS_PER_MS;
    bool stuck = seat->passing > 0 && has_idle_executor(seat);
    if (stuck != (seat->stuck_since != 0)) {
        sp_pool_set_stuck(pool, seat, stuck ? turn->now : 0);
    } else if (stuck && turn->now - seat->stuck_since >= grace) {
        condemn(seat, "it did not take a call that was handed to it");
    }
}

static void tick_seat(struct sp_pool *pool, struct sp_seat *seat, struct turn *turn)
{
    struct sp_link *next;
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = next) {
        next = link->next;
        if (!seat->violated) {
            follow_up(pool, seat, SP_ENTRY(link, struct sp_orphan, link), turn);
        }
    }
    watch_passing(pool, seat, turn);
    if (seat->violated) {
        condemn(seat, "it broke the protocol");
    } else if (seat->silent) {
        condemn(seat,
                "it did not go on when a call from within a host's tool had ended");
    }
}

// Without the lock, for a kill and its line of log take their time. Seats come and go
// on this thread only.
static void
execute(struct sp_pool *pool, const struct sp_pool_orders *orders, bool closing)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->condemned != NULL && !seat->executed) {
            seat->executed = true;
            orders->kill(seat->worker, seat->condemned, closing);
        }
    }
}

bool sp_pool_tick(struct sp_pool *pool,
                  uint64_t now,
                  const struct sp_pool_orders *orders)
{
    struct sp_after after = {0};
    struct turn turn = {now, orders, &after};
    bool again = false;
    pthread_mutex_lock(&pool->lock);
    settle_streams(pool, &after);
    expire_asyncs(pool, now, &after);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->port->notifying > 0) {
            sp_pool_collect_seat(pool, seat, &after);
        }
        tick_seat(pool, seat, &turn);
        again |= seat->port->notifying > 0;
    }
    sp_pool_dispatch(pool, &after);
    again |= pool->orphans > 0 || !sp_list_empty(&pool->asyncs);
    if (!sp_list_empty(&pool->ended) || !sp_list_empty(&pool->questions)) {
        pool->hooks.ended(pool->hooks.user);
    }
    bool closing = pool->state == SP_POOL_STOPPING;
    sp_pool_unlock(pool, &after);
    execute(pool, orders, closing);
    return again;
}
