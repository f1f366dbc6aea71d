// SPDX-License-Identifier: MIT
// What workers do, for those who look. What an executor runs is what its stamp says,
// which its worker writes anyway; whose call that is, and what has become of it, is
// what the pool knows.
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pool/inside.h"

static struct sp_worker_load load_of(const struct sp_seat *seat)
{
    const struct sp_port *port = seat->port;
    const uint64_t own = seat->checks + 1; // its first call was the probe
    const uint64_t handed = port->submit_tail + port->served;
    struct sp_worker_load load = {.calls = seat->load,
                                  .handed = handed > own ? handed - own : 0};
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = link->next) {
        load.stuck += SP_ENTRY(link, struct sp_orphan, link)->stuck;
    }
    return load;
}

// NULL: there is none. Lock held.
static const struct sp_seat *seat_of_worker(const struct sp_pool *pool,
                                            uint64_t worker_id)
{
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->worker_id == worker_id) {
            return seat;
        }
    }
    return NULL;
}

struct sp_worker_load sp_pool_load_of(struct sp_pool *pool, uint64_t worker_id)
{
    struct sp_worker_load load = {0};
    pthread_mutex_lock(&pool->lock);
    const struct sp_seat *seat = seat_of_worker(pool, worker_id);
    if (seat != NULL) {
        load = load_of(seat);
    }
    pthread_mutex_unlock(&pool->lock);
    return load;
}

static void tell(const struct sp_store *store,
                 const struct sp_parcel *parcel,
                 struct sp_call_told *told)
{
    if (parcel != NULL) {
        struct sp_slice tool = sp_parcel_tool(store, parcel);
        size_t most = sizeof told->tool - 1;
        memcpy(told->tool, tool.data, tool.size < most ? tool.size : most);
        sp_text_clean(told->tool, strlen(told->tool), SP_TEXT_LINE);
    }
}

static struct sp_call *call_in(const struct sp_seat *seat, uint64_t id)
{
    for (struct sp_link *link = seat->calls.next; link != &seat->calls;
         link = link->next) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, placement.link);
        if (call->id == id) {
            return call;
        }
    }
    return NULL;
}

static const struct sp_orphan *orphan_in(const struct sp_seat *seat, uint64_t id)
{
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = link->next) {
        const struct sp_orphan *orphan = SP_ENTRY(link, struct sp_orphan, link);
        if (orphan->call == id) {
            return orphan;
        }
    }
    return NULL;
}

// Also of one that was given up. Lock held.
static void tell_of_seat(const struct sp_pool *pool,
                         const struct sp_seat *seat,
                         uint64_t id,
                         struct sp_call_told *told)
{
    const struct sp_call *call = call_in(seat, id);
    const struct sp_orphan *orphan = call == NULL ? orphan_in(seat, id) : NULL;
    if (call != NULL) {
        tell(&pool->store, call->parcel, told);
    } else if (orphan != NULL) {
        tell(&pool->store, orphan->parcel, told);
        told->stuck = orphan->stuck;
    }
}

void sp_pool_tell_call(struct sp_pool *pool,
                       uint64_t worker_id,
                       uint64_t call,
                       struct sp_call_told *told)
{
    *told = (struct sp_call_told){.stuck = false};
    pthread_mutex_lock(&pool->lock);
    const struct sp_seat *seat = seat_of_worker(pool, worker_id);
    if (seat != NULL) {
        tell_of_seat(pool, seat, call, told);
    }
    pthread_mutex_unlock(&pool->lock);
}

static const struct sp_orphan *stuck_in(const struct sp_seat *seat)
{
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = link->next) {
        const struct sp_orphan *orphan = SP_ENTRY(link, struct sp_orphan, link);
        if (orphan->stuck) {
            return orphan;
        }
    }
    return NULL;
}

uint64_t sp_pool_tell_stuck(struct sp_pool *pool,
                            uint64_t worker_id,
                            struct sp_call_told *told,
                            uint64_t *since_ms)
{
    uint64_t call = 0;
    *told = (struct sp_call_told){.stuck = false};
    *since_ms = 0;
    pthread_mutex_lock(&pool->lock);
    const struct sp_seat *seat = seat_of_worker(pool, worker_id);
    const struct sp_orphan *orphan = seat == NULL ? NULL : stuck_in(seat);
    if (orphan != NULL) {
        const uint64_t now = sp_clock_now();
        call = orphan->call;
        *since_ms = now > orphan->since ? (now - orphan->since) / SP_NS_PER_MS : 0;
        tell_of_seat(pool, seat, call, told);
    }
    pthread_mutex_unlock(&pool->lock);
    return call;
}

uint32_t sp_pool_free_places(struct sp_pool *pool)
{
    uint32_t places = 0;
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        const bool takes = seat->open && !seat->dead && seat->load < seat->capacity;
        places += takes ? seat->capacity - seat->load : 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return places;
}

static uint32_t count_busy(const struct sp_port *port)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < port->view.shape.executors; i++) {
        const struct sp_stamp *stamp = &port->view.stamps[i];
        busy += atomic_load_explicit(&stamp->call, memory_order_relaxed) != 0;
    }
    return busy;
}

uint32_t sp_pool_busy_executors(struct sp_pool *pool)
{
    uint32_t busy = 0;
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        busy += seat->dead ? 0 : count_busy(seat->port);
    }
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

// ---- Executors ----------------------------------------------------------------

// Rows that are being handed over.
struct handing {
    sp_executor_row_fn *put;
    void *user;
    size_t count;
};

static uint64_t running_us(uint64_t since)
{
    const uint64_t now = sp_clock_ticks();
    return now > since ? (now - since) / sp_clock_ticks_per_us() : 0;
}

static enum sp_executor_state state_of_call(const struct sp_seat *seat,
                                            const struct sp_call *call)
{
    const uint32_t state = sp_port_state(seat->port, call->placement.slot);
    return state == SP_SLOT_ASKING || state == SP_SLOT_ANSWERING ? SP_EXECUTOR_ASKING
                                                                 : SP_EXECUTOR_RUNNING;
}

// What the pool knows of the call that a row names.
static void tell_row(const struct sp_store *store,
                     const struct sp_seat *seat,
                     struct sp_executor_row *row)
{
    struct sp_call_told told = {.stuck = false};
    const struct sp_call *call = call_in(seat, row->call);
    const struct sp_orphan *orphan = call == NULL ? orphan_in(seat, row->call) : NULL;
    row->state = SP_EXECUTOR_RUNNING;
    if (call != NULL) {
        row->state = state_of_call(seat, call);
        row->waited_us = call->waited_ticks / sp_clock_ticks_per_us();
        tell(store, call->parcel, &told);
    } else if (orphan != NULL) {
        row->state = orphan->stuck ? SP_EXECUTOR_STUCK : SP_EXECUTOR_STOPPING;
        tell(store, orphan->parcel, &told);
    }
    memcpy(row->tool, told.tool, sizeof row->tool);
}

static struct sp_executor_row
row_of(const struct sp_pool *pool, const struct sp_seat *seat, uint32_t executor)
{
    const struct sp_stamp *stamp = &seat->port->view.stamps[executor];
    const uint64_t since = atomic_load_explicit(&stamp->since, memory_order_relaxed);
    struct sp_executor_row row = {
        .worker = seat->worker_id,
        .executor = executor,
        .state = SP_EXECUTOR_IDLE,
        .call = atomic_load_explicit(&stamp->call, memory_order_acquire)};
    if (seat->dead) {
        row.call = 0;
        row.state = SP_EXECUTOR_ABSENT;
    } else if (row.call != 0) {
        row.running_us = running_us(since);
        tell_row(&pool->store, seat, &row);
    } else if (atomic_load_explicit(&stamp->state, memory_order_relaxed) == 0) {
        row.state = SP_EXECUTOR_ABSENT;
    }
    return row;
}

static void hand_over(const struct sp_pool *pool,
                      const struct sp_seat *seat,
                      struct handing *handing)
{
    for (uint32_t i = 0; i < seat->port->view.shape.executors; i++) {
        const struct sp_executor_row row = row_of(pool, seat, i);
        handing->put(handing->user, handing->count++, &row);
    }
}

size_t sp_pool_executors(struct sp_pool *pool,
                         uint64_t worker_id,
                         sp_executor_row_fn *put,
                         void *user)
{
    struct handing handing = {put, user, 0};
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (worker_id == 0 || seat->worker_id == worker_id) {
            hand_over(pool, seat, &handing);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return handing.count;
}

// ---- Those that take long -----------------------------------------------------

static void
look_for_slow(struct sp_pool *pool, const struct sp_seat *seat, uint32_t executor)
{
    struct sp_slow *slow = &pool->slow;
    const struct sp_stamp *stamp = &seat->port->view.stamps[executor];
    const uint64_t since = atomic_load_explicit(&stamp->since, memory_order_relaxed);
    const uint64_t id = atomic_load_explicit(&stamp->call, memory_order_acquire);
    const uint64_t now = sp_clock_ticks();
    const uint64_t ran = now > since ? now - since : 0;
    struct sp_call *call = id == 0 || ran < slow->ticks ? NULL : call_in(seat, id);
    if (call == NULL || call->checks) {
        return;
    }
    sp_pool_meet_tool(pool, call);
    struct sp_slow_call *row = sp_slow_next(slow, call->tool);
    if (row != NULL) {
        sp_slow_describe(pool, call, ran, row);
    }
}

uint32_t sp_pool_take_slow(struct sp_pool *pool, struct sp_slow_call rows[SP_SLOW_MOST])
{
    pthread_mutex_lock(&pool->lock);
    struct sp_slow *slow = &pool->slow;
    for (struct sp_link *link = pool->seats.next;
         link != &pool->seats && slow->ticks != UINT64_MAX;
         link = link->next) {
        const struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        for (uint32_t i = 0; !seat->dead && i < seat->port->view.shape.executors; i++) {
            look_for_slow(pool, seat, i);
        }
    }
    const uint32_t count = slow->count;
    memcpy(rows, slow->found, count * sizeof rows[0]);
    slow->count = 0;
    pthread_mutex_unlock(&pool->lock);
    return count;
}
