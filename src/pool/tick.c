// SPDX-License-Identifier: MIT
// What has to happen though nobody looks: deadlines of submitted calls, and workers
// that do not end what was given up.
#include "pool/inside.h"

#include "base/clock.h"
#include "pool/check.h"
#include "pool/held.h"
#include "pool/stream.h"

#define STUCK_NS SP_NS_PER_S // of an executor that could be late on a busy machine

// One tick.
struct turn {
    uint64_t now;
    const struct sp_pool_orders *orders;
    struct sp_after *after;
};

// Of calls whose time is up at once some are looked at first, so that none is answered
// late for that.
#define SEEN_NS SP_NS_PER_MS

struct seen {
    uint64_t until; // there is time to look; CLOCK_MONOTONIC ns
    uint64_t call;  // that was looked at last; 0: none
    struct sp_buf stack;
};

// Whether there is time to see where the call is. Then it may be no more.
static bool see(struct sp_pool *pool,
                const struct sp_call *call,
                struct seen *seen,
                const struct turn *turn)
{
    if (seen->call == call->id || !sp_pool_is_late(pool, call, turn->now) ||
        sp_clock_now() >= seen->until) {
        return false;
    }
    seen->call = call->id;
    seen->stack.size = 0;
    sp_pool_see(pool, call, &seen->stack, turn->after);
    return true;
}

// A call may have moved since its due time was set.
static void expire_pending(struct sp_pool *pool, const struct turn *turn)
{
    struct sp_call *call;
    struct seen seen = {.until = sp_clock_now() + SEEN_NS};
    while ((call = sp_pending_due(&pool->pending, turn->now)) != NULL) {
        const uint64_t due = sp_call_due(call);
        if (due > turn->now) {
            sp_pending_set_due(&pool->pending, call, due);
        } else if (!see(pool, call, &seen, turn)) {
            const bool known = seen.call == call->id && seen.stack.size > 0;
            const char *stack = known ? (const char *)seen.stack.data : NULL;
            sp_pool_expire(pool, call, turn->now, stack, turn->after);
        }
    }
    sp_buf_fini(&seen.stack);
}

// A stream that nobody reads must not keep its slot when its tool has come to its end.
// Ending one can end others, so the mark keeps the place in the list.
static void settle_streams(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_link mark;
    struct sp_link *link;
    sp_list_prepend(&pool->streams, &mark);
    while ((link = mark.next) != &pool->streams) {
        sp_list_remove(&mark);
        sp_list_prepend(link, &mark);
        struct sp_call *call = SP_ENTRY(link, struct sp_call, stream_link);
        if (sp_stream_has_ended(call)) {
            sp_pool_settle(pool, call, after);
        }
    }
    sp_list_remove(&mark);
}

// The worker is to be killed, see order_kills().
static void
mark_for_kill(struct sp_seat *seat, enum sp_death counts_as, const char *why)
{
    if (seat->kill_reason == NULL) {
        seat->counts_as = counts_as;
        seat->kill_reason = why;
    }
}

// Whether its executor runs the call now, together with others.
static bool is_in_batch(const struct sp_pool *pool,
                        const struct sp_seat *seat,
                        const struct sp_call *call,
                        uint32_t executor)
{
    uint32_t slot = call->placement.slot;
    uint32_t state = sp_port_state(seat->port, slot);
    return state != SP_SLOT_QUEUED && state != SP_SLOT_DONE &&
           sp_port_executor(seat->port, slot) == executor &&
           sp_seat_batch_of(seat, sp_parcel_tool(&pool->store, call->parcel)) > 1;
}

// Whether what runs is a batch that others still want an answer of: a tool is not stuck
// as long as somebody has time for it.
static bool others_want_it(const struct sp_pool *pool,
                           const struct sp_seat *seat,
                           const struct sp_orphan *orphan)
{
    if (seat->batches.size == 0 ||
        sp_seat_batch_of(seat, sp_parcel_tool(&pool->store, orphan->parcel)) < 2) {
        return false;
    }
    uint32_t executor = sp_port_executor(seat->port, orphan->slot);
    for (struct sp_link *link = seat->calls.next; link != &seat->calls;
         link = link->next) {
        const struct sp_call *call = SP_ENTRY(link, struct sp_call, placement.link);
        if (is_in_batch(pool, seat, call, executor)) {
            return true;
        }
    }
    return false;
}

// The next step against a call that was given up and still runs; afterwards the orphan
// may be gone.
static void follow_up(struct sp_pool *pool,
                      struct sp_seat *seat,
                      struct sp_orphan *orphan,
                      struct turn *turn)
{
    if (!seat->port->slots[orphan->slot].notify &&
        sp_port_state(seat->port, orphan->slot) == SP_SLOT_DONE) {
        // It ended in the moment it was given up, so it is not in the completion ring.
        sp_pool_reap_slot(pool, seat, orphan->slot);
        return;
    }
    if (!orphan->told &&
        turn->orders->cancel(seat->worker, orphan->call, orphan->slot)) {
        orphan->told = true;
        atomic_store_explicit(
            &orphan->stop, SNAKEPIT_STOP_EXCEPTION, memory_order_relaxed);
        return;
    }
    if (others_want_it(pool, seat, orphan)) {
        orphan->since = turn->now > orphan->since ? turn->now : orphan->since;
        return;
    }
    uint64_t grace = pool->options.cancel_grace_ms * SP_NS_PER_MS;
    // It may have been given up since the turn began.
    bool late = turn->now > orphan->since && turn->now - orphan->since >= grace;
    orphan->stuck = orphan->stuck || late;
}

// What is to be said of its calls that are stuck.
static enum sp_seat_stuck look_for_stuck(const struct sp_seat *seat)
{
    bool others = !sp_list_empty(&seat->calls);
    bool any = false;
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = link->next) {
        bool stuck = SP_ENTRY(link, struct sp_orphan, link)->stuck;
        others = others || !stuck;
        any = any || stuck;
    }
    return !any ? SP_SEAT_NOT_STUCK : others ? SP_SEAT_STUCK : SP_SEAT_STUCK_ALONE;
}

static bool has_idle_executor(const struct sp_seat *seat)
{
    const struct sp_port *port = seat->port;
    uint32_t busy = 0;
    for (uint32_t slot = 0; slot < port->view.shape.slots; slot++) {
        uint32_t state =
            port->slots[slot].call == 0 ? SP_SLOT_FREE : sp_port_state(port, slot);
        busy += state == SP_SLOT_RUNNING || state == SP_SLOT_ASKING ||
                state == SP_SLOT_ANSWERING;
    }
    return busy < seat->capacity;
}

// An executor that has nothing to do passes on at once what was taken back. If that
// does not happen for long, none of them can: their interpreter is held by a thread or
// a signal handler of user code. Nothing that is handed to such a worker ever runs. One
// that leaves passes nothing on any more.
static void
watch_skips(struct sp_pool *pool, struct sp_seat *seat, const struct turn *turn)
{
    uint64_t grace = STUCK_NS + pool->options.cancel_grace_ms * SP_NS_PER_MS;
    bool stuck = seat->skips_due > 0 && !seat->leaves && has_idle_executor(seat);
    if (stuck != (seat->stuck_since != 0)) {
        sp_pool_set_stuck(pool, seat, stuck ? turn->now : 0);
    } else if (stuck && turn->now - seat->stuck_since >= grace) {
        mark_for_kill(
            seat, SP_DEATH_SILENT, "it did not take a call that was handed to it");
    }
}

// Here, and not when that is told: a pool that closes meanwhile may have it serve on.
static void
part_from_spent(struct sp_pool *pool, struct sp_seat *seat, struct sp_after *after)
{
    if (seat->spent && !seat->spent_seen) {
        seat->spent_seen = true;
        sp_pool_part_seat(pool, seat, after);
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
    seat->stuck_seen = seat->violated ? SP_SEAT_NOT_STUCK : look_for_stuck(seat);
    watch_skips(pool, seat, turn);
    sp_check_look(pool, seat, turn->now, turn->after);
    part_from_spent(pool, seat, turn->after);
    if (seat->violated) {
        mark_for_kill(seat, SP_DEATH_VIOLATION, "it broke the protocol");
    } else if (seat->silent) {
        mark_for_kill(seat,
                      SP_DEATH_SILENT,
                      "it did not resume its call after a call from within a host's "
                      "tool had ended");
    }
}

// Without the lock, for a kill and its line of log take their time. Seats come and go
// on this thread only.
static void
order_kills(struct sp_pool *pool, const struct sp_pool_orders *orders, bool closing)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->kill_reason != NULL && !seat->kill_ordered) {
            seat->kill_ordered = true;
            orders->kill(seat->worker, seat->counts_as, seat->kill_reason, closing);
        }
    }
}

// Without the lock, too: what follows may start a process.
static void tell_spent(const struct sp_pool *pool, const struct sp_pool_orders *orders)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->spent_seen && !seat->spent_told) {
            seat->spent_told = true;
            orders->spent(seat->worker);
        }
    }
}

// Without the lock, for the same reason.
static void tell_stuck(struct sp_pool *pool, const struct sp_pool_orders *orders)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->stuck_seen > seat->stuck_told && !seat->kill_ordered) {
            seat->stuck_told = seat->stuck_seen;
            orders->stuck(seat->worker, seat->stuck_seen == SP_SEAT_STUCK_ALONE);
        }
    }
}

// Likewise.
static void report_checks(struct sp_pool *pool, const struct sp_pool_orders *orders)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        sp_check_report(SP_ENTRY(link, struct sp_seat, member), orders);
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
    expire_pending(pool, &turn);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->port->notifying > 0) {
            sp_pool_collect_seat(pool, seat, &after);
        }
        tick_seat(pool, seat, &turn);
        again |= seat->port->notifying > 0 || seat->check != NULL;
    }
    pool->freed = true;
    again |= sp_windows_tick(pool, orders);
    again |= sp_held_look(pool) || pool->orphans > 0 || pool->pending.count > 0;
    for (uint32_t queue = 0; queue < SP_QUEUES_MOST; queue++) {
        if (sp_lane_has_news(&pool->lanes[queue])) {
            pool->hooks.ended(pool->hooks.user, queue);
        }
    }
    bool closing = pool->state == SP_POOL_STOPPING;
    sp_pool_unlock(pool, &after);
    order_kills(pool, orders, closing);
    tell_spent(pool, orders);
    tell_stuck(pool, orders);
    report_checks(pool, orders);
    return again;
}
