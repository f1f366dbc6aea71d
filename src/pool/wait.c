// SPDX-License-Identifier: MIT
// A thread that waits for its own call, be it in the line or in a slot.
#include "pool/inside.h"

#include "base/clock.h"
#include "ipc/futex.h"
#include "ipc/wait.h"
#include "pool/question.h"
#include "pool/stream.h"

static _Thread_local struct sp_patience patience;

// Sleeps on the call's own word until it is moved. The lock is released meanwhile.
static void
wait_in_line(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    uint32_t seen = atomic_load_explicit(&call->moves, memory_order_acquire);
    uint64_t deadline = sp_call_due(call);
    sp_pool_unlock(pool, after);
    (void)sp_futex_wait(&call->moves, seen, deadline);
    pthread_mutex_lock(&pool->lock);
}

static void
wait_in_slot(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_port *port = call->placement.seat->port;
    uint32_t slot = call->placement.slot;
    port->pins++;
    struct sp_wait wait = {
        .patience = &patience,
        .peer_cpu = &port->view.header->worker_cpu,
        .waiting = port->view.shape.waiting,
        .deadline = call->deadline,
        .moves = &call->moves,
        .moves_seen = atomic_load_explicit(&call->moves, memory_order_acquire),
        .tube = call->stream != NULL,
        .tail_seen = call->stream != NULL ? call->stream->tube.tail : 0,
    };
    sp_pool_unlock(pool, after);
    wait.woke = after->woke;
    (void)sp_wait_slot(&port->view.slots[slot], &wait);
    // Its cache line travels while we take the lock.
    __builtin_prefetch(port->results.base + (size_t)slot * SP_INLINE_RESULT);
    after->woke = false;
    pthread_mutex_lock(&pool->lock);
    if (call->phase == SP_CALL_PLACED && call->placement.seat->port == port &&
        call->placement.slot == slot) {
        sp_times_awaited(call, wait.begun);
        sp_pool_settle(pool, call, after);
    }
    if (call->phase == SP_CALL_PLACED && call->placement.seat->port == port &&
        sp_port_state(port, call->placement.slot) == SP_SLOT_ASKING) {
        sp_pool_serve_question(pool, call, after);
    }
    sp_port_unpin(port);
}

// Its answer is late already, by less than it takes to see why.
static void expire(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_buf stack = {0};
    if (sp_pool_is_late(pool, call, sp_clock_now())) {
        sp_pool_see(pool, call, &stack, after);
        if (call->phase == SP_CALL_PLACED) { // its tool may have ended meanwhile
            sp_pool_settle(pool, call, after);
        }
    }
    if (call->phase != SP_CALL_ENDED) {
        sp_pool_expire(pool, call, sp_clock_now(), (const char *)stack.data, after);
    }
    sp_buf_fini(&stack);
}

void sp_pool_wait_once(struct sp_pool *pool,
                       struct sp_call *call,
                       struct sp_after *after)
{
    if (call->phase == SP_CALL_PLACED) {
        wait_in_slot(pool, call, after);
    } else {
        wait_in_line(pool, call, after);
    }
    if (call->phase != SP_CALL_ENDED) {
        expire(pool, call, after);
    }
}
