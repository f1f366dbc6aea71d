// SPDX-License-Identifier: MIT
// Releasing the pool's lock: free places go to the calls that wait, once, whatever
// ended meanwhile; then those are woken who have to see what has changed.
#include "pool/inside.h"

#include "ipc/futex.h"
#include "ipc/wait.h"
#include "pool/guard.h"

// Once for each call: the executor that one ring wakes may be busy with the first of
// them for long. True if an executor had to be woken.
static bool ring(struct sp_port *port, uint32_t calls)
{
    bool woke = false;
    sp_wait_note_cpu(&port->view.header->host_cpu);
    for (uint32_t i = 0; i < calls; i++) {
        woke = sp_port_ring(port) || woke;
    }
    return woke;
}

void sp_pool_fill_freed(struct sp_pool *pool, struct sp_after *after)
{
    if (!pool->freed) {
        return;
    }
    pool->freed = false;
    if (pool->line.count > 0 || pool->loads.count > 1) { // else there is nothing to do
        sp_schedule_run(pool, after);
    }
}

void sp_pool_unlock(struct sp_pool *pool, struct sp_after *after)
{
    sp_pool_fill_freed(pool, after);
    // The port is pinned only while the caller's own call is in it.
    struct sp_port *own = after->own_port;
    uint32_t own_rings = after->own_rings;
    after->own_port = NULL;
    after->own_rings = 0;
    bool pinned = own != NULL && after->self->placement.seat != NULL &&
                  after->self->placement.seat->port == own;
    if (own != NULL && !pinned) {
        sp_port_ref(own);
    }
    if (!pool->tells) {
        pthread_mutex_unlock(&pool->lock);
    } else {
        sp_guard_unlock_and_log(pool);
    }
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
