// SPDX-License-Identifier: MIT
// What a worker does that is not about one call: it returns what it held, passes on
// slots that were taken back, or breaks a rule.
#include "pool/inside.h"

void sp_pool_violation(struct sp_pool *pool, struct sp_seat *seat)
{
    if (!seat->violated) {
        seat->violated = true;
        pool->counters.violations++;
        sp_loads_remove(&pool->loads, seat);
        pool->hooks.attention(pool->hooks.user);
    }
}

// Python lets go of tensors at any time after a call; nobody waits for it, so it is
// seen here.
void sp_pool_take_returns(struct sp_pool *pool, struct sp_seat *seat)
{
    uint32_t lease;
    while (seat->leases_out > 0 && !seat->violated && !seat->dead) {
        snakepit_err err = sp_port_next_return(seat->port, &lease);
        if (err == SNAKEPIT_NOT_FOUND) {
            return;
        }
        if (err != SNAKEPIT_OK ||
            sp_seat_return_lease(&pool->store, seat, lease) != SNAKEPIT_OK) {
            sp_pool_violation(pool, seat);
        }
    }
}

void sp_pool_await_skip(struct sp_pool *pool, struct sp_seat *seat)
{
    seat->skips_due++;
    // The slot comes back through the completion ring.
    pool->hooks.attention(pool->hooks.user);
}

void sp_pool_set_stuck(struct sp_pool *pool, struct sp_seat *seat, uint64_t since)
{
    uint32_t was = seat->stuck_since != 0 ? 1 : 0;
    uint32_t is = since != 0 ? 1 : 0;
    seat->stuck_since = since;
    sp_loads_set_load(&pool->loads, seat, seat->load - was + is);
    pool->freed |= is < was;
}
