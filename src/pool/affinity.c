// SPDX-License-Identifier: MIT
// Calls that must wait for one worker stand in the line of its seat; the pool's line
// holds the others, so that its first call always fits the next free place. Whose turn
// it is between the two is told by the calls' ids, which rise.
#include "pool/affinity.h"

#include "base/check.h"
#include "base/clock.h"
#include "pool/question.h"

static bool is_strict(const struct sp_pool *pool)
{
    return pool->options.affinity != SP_AFFINITY_HINT;
}

// ---- Ties ---------------------------------------------------------------------

// Takes note that the session's worker is gone, once.
static bool take_loss(const struct sp_pool *pool, struct sp_tie *tie)
{
    if (tie->seat != NULL && !tie->seat->open) {
        sp_tie_to(tie, NULL);
        tie->lost = is_strict(pool);
    }
    bool lost = tie->lost;
    tie->lost = false;
    return lost;
}

// Finds the tie of a call. NO_MEMORY in the strict modes only.
static snakepit_err join(struct sp_pool *pool, struct sp_call *call)
{
    static const struct sp_failure no_tie = {
        .err = SNAKEPIT_NO_MEMORY,
        .message = "there is no memory left to tie the session to a worker",
        .stage = "line",
    };
    const struct sp_parcel *parcel = call->parcel;
    const uint8_t *text = pool->store.segment.base + parcel->block + parcel->name_size;
    call->tie = sp_ties_take(
        &pool->ties, (const char *)text, parcel->session_size, sp_clock_coarse());
    if (call->tie == NULL && is_strict(pool)) {
        sp_call_set_failure(call, &no_tie);
        return SNAKEPIT_NO_MEMORY;
    }
    bool lost = call->tie != NULL && take_loss(pool, call->tie);
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
    return call->tie != NULL && is_strict(pool);
}

void sp_affinity_end(struct sp_pool *pool, struct sp_call *call)
{
    if (call->err == SNAKEPIT_WORKER_DIED || call->err == SNAKEPIT_SESSION_LOST) {
        call->tie->lost = false; // told by this answer
    }
    sp_ties_put(&pool->ties, call->tie, sp_clock_coarse());
    call->tie = NULL;
}

// ---- Choice -------------------------------------------------------------------

static bool has_free_executor(const struct sp_seat *seat)
{
    return seat->open && seat->load < seat->capacity;
}

static enum sp_placed
choose_strictly(const struct sp_pool *pool, struct sp_tie *tie, struct sp_seat **seat)
{
    if (take_loss(pool, tie)) {
        return SP_LOST;
    }
    if (tie->seat == NULL) {
        return SP_PLACED;
    }
    *seat = tie->seat;
    if (pool->options.affinity == SP_AFFINITY_STRICT_FAIL_FAST) {
        return has_free_executor(tie->seat) ? SP_PLACED : SP_BUSY;
    }
    return sp_pool_has_room(pool, tie->seat) ? SP_PLACED : SP_WAITS;
}

enum sp_placed sp_affinity_choose(const struct sp_pool *pool,
                                  struct sp_call *call,
                                  struct sp_seat **seat)
{
    struct sp_tie *tie = call->tie;
    if (is_strict(pool)) {
        return choose_strictly(pool, tie, seat);
    }
    (void)take_loss(pool, tie);
    // Others may be idle while this one's calls would only wait in it.
    if (tie->seat != NULL && has_free_executor(tie->seat)) {
        *seat = tie->seat;
    }
    return SP_PLACED;
}

// ---- Lines --------------------------------------------------------------------

// The seat whose own line the call stands or would stand in; NULL: the pool's line.
static struct sp_seat *seat_of(const struct sp_pool *pool, const struct sp_call *call)
{
    return sp_affinity_binds(pool, call) ? call->tie->seat : NULL;
}

// Whether others stand before a new call already.
static bool must_wait(const struct sp_pool *pool, const struct sp_call *call)
{
    const struct sp_seat *seat = seat_of(pool, call);
    return !sp_list_empty(seat == NULL ? &pool->line.calls : &seat->waiting);
}

void sp_affinity_wait(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_seat *seat = seat_of(pool, call);
    if (seat == NULL) {
        sp_line_put_sorted(&pool->line, &pool->line.calls, call);
        return;
    }
    if (!sp_link_used(&seat->waited_for)) {
        sp_list_append(&pool->waited_for, &seat->waited_for);
    }
    sp_line_put_sorted(&pool->line, &seat->waiting, call);
}

static struct sp_call *first_of(const struct sp_link *line)
{
    return sp_list_empty(line) ? NULL : SP_ENTRY(line->next, struct sp_call, link);
}

// ---- Admission and dispatch ---------------------------------------------------

snakepit_err
sp_affinity_admit(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    snakepit_err err = join(pool, call);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_question_place(pool, call);
    if (err != SNAKEPIT_NOT_FOUND) {
        return err;
    }
    if (!must_wait(pool, call)) {
        enum sp_placed placed = sp_pool_place(pool, call, after);
        const struct sp_failure *refusal = sp_pool_refusal(placed);
        if (placed == SP_PLACED) {
            return SNAKEPIT_OK;
        }
        if (refusal != NULL) {
            sp_pool_tell(call, refusal);
            return refusal->err;
        }
    }
    if (sp_line_is_full(&pool->line)) {
        return SNAKEPIT_SATURATED;
    }
    sp_affinity_wait(pool, call);
    return SNAKEPIT_OK;
}

// The call whose turn it is at a seat, out of its line; NULL.
static struct sp_call *take_turn(struct sp_pool *pool, struct sp_seat *seat)
{
    struct sp_call *call = first_of(&seat->waiting);
    const struct sp_call *other = first_of(&pool->line.calls);
    if (call == NULL || !seat->open || !sp_pool_has_room(pool, seat) ||
        (other != NULL && other->id < call->id)) {
        return NULL;
    }
    sp_line_remove(&pool->line, call);
    return call;
}

static void
serve_seat(struct sp_pool *pool, struct sp_seat *seat, struct sp_after *after)
{
    struct sp_call *call;
    while ((call = take_turn(pool, seat)) != NULL) {
        if (sp_pool_end_if_late(pool, call, after)) {
            continue;
        }
        enum sp_placed placed = sp_pool_place(pool, call, after);
        const struct sp_failure *refusal = sp_pool_refusal(placed);
        if (placed == SP_PLACED) {
            sp_pool_moved(call, after);
        } else if (refusal != NULL) {
            sp_pool_fail_call(pool, call, refusal, after);
        } else {
            // No slot after all: they come back from the worker one by one.
            sp_line_put_sorted(&pool->line, &seat->waiting, call);
            return;
        }
    }
}

void sp_affinity_serve(struct sp_pool *pool, struct sp_after *after)
{
    struct sp_link *next;
    for (struct sp_link *link = pool->waited_for.next; link != &pool->waited_for;
         link = next) {
        next = link->next;
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, waited_for);
        serve_seat(pool, seat, after);
        if (sp_list_empty(&seat->waiting)) {
            sp_list_remove(link);
        }
    }
}

struct sp_call *sp_affinity_first_waiting(const struct sp_pool *pool)
{
    struct sp_call *call = first_of(&pool->line.calls);
    struct sp_link *link = pool->waited_for.next;
    for (; call == NULL && link != &pool->waited_for; link = link->next) {
        call = first_of(&SP_ENTRY(link, struct sp_seat, waited_for)->waiting);
    }
    return call;
}

void sp_affinity_part(struct sp_pool *pool,
                      struct sp_seat *seat,
                      struct sp_after *after)
{
    while (!sp_list_empty(&seat->ties)) {
        struct sp_tie *tie = SP_ENTRY(seat->ties.next, struct sp_tie, seat_link);
        sp_tie_to(tie, NULL);
        tie->lost = is_strict(pool);
    }
    struct sp_call *call;
    while ((call = first_of(&seat->waiting)) != NULL) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, sp_pool_refusal(SP_LOST), after);
    }
    if (sp_link_used(&seat->waited_for)) {
        sp_list_remove(&seat->waited_for);
    }
}
