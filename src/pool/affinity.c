// SPDX-License-Identifier: MIT
// Calls that must wait for one worker stand in the line of its seat; the pool's line
// holds the others, so that its first call always fits the next free place. Whose turn
// it is between the two is told by the calls' ids, which rise.
#include "pool/affinity.h"

#include "base/check.h"
#include "base/clock.h"

bool sp_affinity_is_strict(const struct sp_pool *pool)
{
    return pool->options.affinity != SP_AFFINITY_HINT;
}

// ---- Ties ---------------------------------------------------------------------

// Calls that wait for a seat which has closed end when it is parted from. Those that
// come until then wait with them: a loss is told at one moment.
static bool is_lost(const struct sp_seat *seat)
{
    return !seat->open && sp_list_empty(&seat->waiting);
}

bool sp_affinity_take_loss(const struct sp_pool *pool, struct sp_tie *tie)
{
    if (tie->seat != NULL && is_lost(tie->seat)) {
        sp_tie_to(tie, NULL);
        tie->lost = sp_affinity_is_strict(pool);
    }
    bool lost = tie->lost;
    tie->lost = false;
    return lost;
}

snakepit_err sp_affinity_join(struct sp_pool *pool, struct sp_call *call)
{
    static const struct sp_failure no_tie = {
        .err = SNAKEPIT_NO_MEMORY,
        .message = "there is no memory left to tie the session to a worker",
        .stage = "line",
    };
    const struct sp_parcel *parcel = call->parcel;
    const struct sp_slice session = sp_parcel_session(&pool->store, parcel);
    call->tie = sp_ties_take(&pool->ties,
                             (const char *)session.data,
                             (uint32_t)session.size,
                             sp_clock_coarse());
    if (call->tie == NULL && sp_affinity_is_strict(pool)) {
        sp_call_set_failure(call, &no_tie);
        return SNAKEPIT_NO_MEMORY;
    }
    bool lost = call->tie != NULL && sp_affinity_take_loss(pool, call->tie);
    return lost ? SNAKEPIT_SESSION_LOST : SNAKEPIT_OK;
}

void sp_affinity_placed(struct sp_call *call, struct sp_seat *seat)
{
    if (call->tie->seat == NULL) {
        sp_tie_to(call->tie, seat);
    }
}

bool sp_affinity_binds(const struct sp_pool *pool, const struct sp_call *call)
{
    return call->tie != NULL && sp_affinity_is_strict(pool);
}

void sp_affinity_end(struct sp_pool *pool, struct sp_call *call)
{
    if (call->err == SNAKEPIT_WORKER_DIED || call->err == SNAKEPIT_SESSION_LOST) {
        call->tie->lost = false; // told by this answer
    }
    sp_ties_put(&pool->ties, call->tie, sp_clock_coarse());
    call->tie = NULL;
}

// ---- Lines --------------------------------------------------------------------

// The seat whose own line the call stands or would stand in; NULL: the pool's line.
static struct sp_seat *seat_of(const struct sp_pool *pool, const struct sp_call *call)
{
    return sp_affinity_binds(pool, call) ? call->tie->seat : NULL;
}

bool sp_affinity_must_wait(const struct sp_pool *pool, const struct sp_call *call)
{
    const struct sp_seat *seat = seat_of(pool, call);
    return !sp_list_empty(seat == NULL ? &pool->line.calls : &seat->waiting);
}

void sp_affinity_wait(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_seat *seat = seat_of(pool, call);
    if (seat == NULL) {
        sp_line_put_sorted(&pool->line, &pool->line.calls, call);
        if (pool->options.elastic) {
            pool->hooks.attention(pool->hooks.user);
        }
        return;
    }
    if (!sp_link_used(&seat->waited_for)) {
        sp_list_append(&pool->waited_for, &seat->waited_for);
    }
    sp_line_put_sorted(&pool->line, &seat->waiting, call);
}

struct sp_call *sp_affinity_first_waiting(const struct sp_pool *pool)
{
    struct sp_call *call = sp_line_first(&pool->line.calls);
    struct sp_link *link = pool->waited_for.next;
    call = call == NULL ? sp_line_first(&pool->line.delayed) : call;
    for (; call == NULL && link != &pool->waited_for; link = link->next) {
        call = sp_line_first(&SP_ENTRY(link, struct sp_seat, waited_for)->waiting);
    }
    return call;
}

void sp_affinity_part(const struct sp_pool *pool, struct sp_seat *seat)
{
    while (!sp_list_empty(&seat->ties)) {
        struct sp_tie *tie = SP_ENTRY(seat->ties.next, struct sp_tie, seat_link);
        sp_tie_to(tie, NULL);
        tie->lost = sp_affinity_is_strict(pool);
    }
}
