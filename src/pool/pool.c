// SPDX-License-Identifier: MIT
// The pool's life, and what its other files share: the end of a call and what is done
// after the lock is released.
#include "pool/pool.h"
#include "pool/affinity.h"
#include "pool/spares.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/memory.h"
#include "ipc/futex.h"
#include "ipc/wait.h"

static void pool_free(struct sp_pool *pool)
{
    struct sp_link *link;
    while ((link = sp_list_take(&pool->free_calls)) != NULL) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        sp_parcel_free(&pool->store, call->parcel);
        sp_call_free(call);
    }
    sp_ties_fini(&pool->ties);
    sp_store_fini(&pool->store);
    pthread_mutex_destroy(&pool->lock);
    sp_free(pool->name);
    sp_free(pool);
}

static void init_lists(struct sp_pool *pool)
{
    sp_list_init(&pool->free_calls);
    sp_list_init(&pool->seats);
    sp_list_init(&pool->asyncs);
    sp_list_init(&pool->ended);
    sp_list_init(&pool->questions);
    sp_schedule_init(&pool->schedule);
    sp_line_init(&pool->line, pool->options.max_queue);
    sp_list_init(&pool->waited_for);
    sp_ties_init(&pool->ties,
                 pool->options.max_sessions,
                 pool->options.session_ttl_ms * SP_NS_PER_MS,
                 &pool->options.hash_key);
}

snakepit_err sp_pool_open(const struct sp_pool_options *options,
                          const struct sp_pool_hooks *hooks,
                          const struct sp_log *log,
                          struct sp_pool **pool,
                          snakepit_message *why)
{
    struct sp_pool *made = sp_alloc_lines(sizeof *made);
    char *name = sp_strdup(options->name);
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (made != NULL && name != NULL) {
        err = sp_store_init(&made->store, options->shared_memory_size, why);
    }
    if (err != SNAKEPIT_OK) {
        sp_free(name);
        sp_free(made);
        return err;
    }
    if (options->payloads_hidden) {
        sp_segment_hide(&made->store.segment);
    }
    made->name = name;
    made->options = *options;
    made->options.name = name;
    made->hooks = *hooks;
    made->log = log;
    made->refs = 1;
    made->process = sp_fork_here();
    init_lists(made);
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    *pool = made;
    return SNAKEPIT_OK;
}

void sp_pool_unref(struct sp_pool *pool)
{
    uint32_t before = atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel);
    SP_CHECK(before > 0);
    if (before == 1) {
        pool_free(pool);
    }
}

void sp_pool_begin_close(struct sp_pool *pool)
{
    sp_pool_set_state(pool, SP_POOL_STOPPING, NULL);
}

bool sp_pool_is_busy(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool busy = pool->placed > 0 || pool->line.count > 0;
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

bool sp_pool_is_closing(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool closing = pool->state == SP_POOL_STOPPING;
    pthread_mutex_unlock(&pool->lock);
    return closing;
}

bool sp_pool_awaits_tools(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool awaits = pool->orphans > 0;
    pthread_mutex_unlock(&pool->lock);
    return awaits;
}

void sp_pool_close(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    SP_CHECK(sp_list_empty(&pool->seats) && pool->placed == 0 && pool->line.count == 0);
    pool->log = NULL;
    pthread_mutex_unlock(&pool->lock);
    sp_spares_close(pool);
    sp_pool_unref(pool);
}

// Once for each call: the executor that one ring wakes may be busy with the first of
// them for long. True if an executor had to be woken.
static bool ring(struct sp_port *port, uint32_t calls)
{
    bool woke = false;
    sp_wait_note_cpu(&port->view.header->host_cpu);
    for (uint32_t i = 0; i < calls; i++) {
        woke = sp_bell_ring(&port->view.header->bell) || woke;
    }
    return woke;
}

void sp_pool_unlock(struct sp_pool *pool, struct sp_after *after)
{
    // It is pinned only while its call is still in it.
    struct sp_port *own = after->own_port;
    uint32_t own_rings = after->own_rings;
    after->own_port = NULL;
    after->own_rings = 0;
    bool pinned =
        own != NULL && after->self->seat != NULL && after->self->seat->port == own;
    if (own != NULL && !pinned) {
        sp_port_ref(own);
    }
    pthread_mutex_unlock(&pool->lock);
    if (own != NULL) {
        after->woke = ring(own, own_rings);
    }
    if (own != NULL && !pinned) {
        sp_port_unref(own);
    }
    for (uint32_t i = 0; i < after->port_count; i++) {
        (void)ring(after->ports[i], after->rings[i]);
        sp_port_unref(after->ports[i]);
    }
    for (uint32_t i = 0; i < after->call_count; i++) {
        // The call may be somebody else's by now; a wake that reaches a stranger is
        // harmless.
        sp_futex_wake(&after->calls[i]->moves, INT32_MAX);
    }
    after->port_count = 0;
    after->call_count = 0;
}

void sp_pool_moved(struct sp_call *call, struct sp_after *after)
{
    if (call->asynchronous || call == after->self) {
        return;
    }
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (after->call_count < SP_AFTER_MOST) {
        after->calls[after->call_count++] = call;
    } else {
        sp_futex_wake(&call->moves, INT32_MAX);
    }
}

static void count_end(struct sp_pool *pool, const struct sp_call *call)
{
    pool->counters.calls++;
    if (call->err == SNAKEPIT_OK) {
        return;
    }
    pool->counters.failures++;
    pool->counters.saturated += call->err == SNAKEPIT_SATURATED ? 1 : 0;
    pool->counters.timeouts += call->err == SNAKEPIT_DEADLINE_EXCEEDED ? 1 : 0;
    pool->counters.cancelled += call->err == SNAKEPIT_CANCELLED ? 1 : 0;
}

void sp_pool_end(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    SP_CHECK(call->phase != SP_CALL_ENDED);
    call->phase = SP_CALL_ENDED;
    count_end(pool, call);
    if (call->tie != NULL) {
        sp_affinity_end(pool, call);
    }
    if (call->asynchronous || call->stream != NULL) {
        sp_list_remove(&call->async_link);
        if (sp_link_used(&call->question_link)) {
            sp_list_remove(&call->question_link);
        }
    }
    if (call->asynchronous) {
        if (!call->serving) {
            sp_list_append(&pool->ended, &call->link);
        }
    } else {
        sp_pool_moved(call, after);
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
    sp_pool_tell(call, failure);
    sp_pool_end(pool, call, after);
    if (call->asynchronous) {
        pool->hooks.ended(pool->hooks.user);
    }
}

const struct sp_failure *sp_pool_refusal(enum sp_placed placed)
{
    static const struct sp_failure unleased = {
        .err = SNAKEPIT_NO_MEMORY,
        .message =
            "Python still holds the tensors of too many earlier calls; drop them",
        .stage = "line",
    };
    static const struct sp_failure busy = {.err = SNAKEPIT_WORKER_BUSY,
                                           .stage = "line"};
    static const struct sp_failure lost = {.err = SNAKEPIT_SESSION_LOST,
                                           .stage = "line"};
    switch (placed) {
    case SP_UNLEASED:
        return &unleased;
    case SP_BUSY:
        return &busy;
    case SP_LOST:
        return &lost;
    default:
        return NULL;
    }
}

bool sp_pool_end_if_late(struct sp_pool *pool,
                         struct sp_call *call,
                         struct sp_after *after)
{
    static const struct sp_failure too_late = {.err = SNAKEPIT_DEADLINE_EXCEEDED,
                                               .stage = "line"};
    bool late = sp_clock_coarse() >= call->line_deadline;
    if (late) {
        sp_pool_fail_call(pool, call, &too_late, after);
    }
    return late;
}

void sp_pool_violation(struct sp_pool *pool, struct sp_seat *seat)
{
    if (!seat->violated) {
        seat->violated = true;
        pool->counters.violations++;
        sp_schedule_remove(&pool->schedule, seat);
        pool->hooks.attention(pool->hooks.user);
    }
}

static struct sp_call *first_unended(struct sp_pool *pool)
{
    struct sp_call *waiting = sp_affinity_first_waiting(pool);
    if (waiting != NULL) {
        return waiting;
    }
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (!sp_list_empty(&seat->calls)) {
            return SP_ENTRY(seat->calls.next, struct sp_call, seat_link);
        }
    }
    return NULL;
}

void sp_pool_end_all(struct sp_pool *pool)
{
    struct sp_after after = {0};
    struct sp_failure failure = {.err = SNAKEPIT_SHUTTING_DOWN};
    struct sp_call *call;
    pthread_mutex_lock(&pool->lock);
    while ((call = first_unended(pool)) != NULL) {
        if (call->phase == SP_CALL_IN_LINE) {
            failure.stage = "line";
            sp_line_remove(&pool->line, call);
            sp_pool_fail_call(pool, call, &failure, &after);
        } else {
            sp_pool_abandon(pool, call, &failure, &after);
        }
    }
    sp_pool_unlock(pool, &after);
}

snakepit_err sp_pool_refuses(const struct sp_pool *pool)
{
    switch (pool->state) {
    case SP_POOL_STOPPING:
        return SNAKEPIT_SHUTTING_DOWN;
    case SP_POOL_FAILED:
        return SNAKEPIT_POOL_FAILED;
    case SP_POOL_DOWN:
        return SNAKEPIT_POOL_DOWN;
    default:
        return SNAKEPIT_OK;
    }
}

static void fail_waiting(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_failure failure = {
        .err = sp_pool_refuses(pool), .message = pool->failure, .stage = "line"};
    struct sp_call *call;
    while ((call = sp_affinity_first_waiting(pool)) != NULL) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
    }
}

void sp_pool_set_state(struct sp_pool *pool, enum sp_pool_state state, const char *why)
{
    struct sp_after after = {0};
    pthread_mutex_lock(&pool->lock);
    // Closing is for good.
    if (pool->state == SP_POOL_STOPPING || (pool->state == state && why == NULL)) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    pool->state = state;
    if (why != NULL) {
        (void)snprintf(pool->failure, sizeof pool->failure, "%s", why);
        fail_waiting(pool, &after);
    }
    pool->hooks.changed(pool->hooks.user);
    sp_pool_unlock(pool, &after);
}

void sp_pool_retry(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->state == SP_POOL_FAILED || pool->state == SP_POOL_DOWN) {
        pool->state = SP_POOL_STARTING;
        pool->hooks.changed(pool->hooks.user);
    }
    pthread_mutex_unlock(&pool->lock);
}
