// SPDX-License-Identifier: MIT
// The completion rings: what workers say of submitted calls, and of slots that nobody
// waits for.
#include "pool/inside.h"

#include "base/fork.h"
#include "pool/question.h"

#define SERVED_A_TURN 64u // questions of submitted calls between two other looks

static struct sp_orphan *find_orphan(struct sp_seat *seat, uint32_t slot)
{
    for (struct sp_link *link = seat->orphans.next; link != &seat->orphans;
         link = link->next) {
        struct sp_orphan *orphan = SP_ENTRY(link, struct sp_orphan, link);
        if (orphan->slot == slot) {
            return orphan;
        }
    }
    return NULL;
}

void sp_pool_reap_slot(struct sp_pool *pool, struct sp_seat *seat, uint32_t slot)
{
    struct sp_port_answer answer;
    if (sp_port_take_answer(seat->port, slot, &answer) != SNAKEPIT_OK) {
        sp_pool_violation(pool, seat);
        return;
    }
    sp_port_return_result(seat->port, answer.lease);
    struct sp_orphan *orphan = find_orphan(seat, slot);
    if (orphan != NULL) {
        sp_pool_release_orphan(pool, seat, orphan, answer.held);
        return;
    }
    seat->skips_due -= seat->skips_due > 0 ? 1 : 0;
    if (seat->skips_due == 0 && seat->stuck_since != 0) {
        sp_pool_set_stuck(pool, seat, 0);
    }
}

// What the completion ring said of one slot.
static void take_news(struct sp_pool *pool,
                      struct sp_seat *seat,
                      uint32_t slot,
                      bool asks,
                      struct sp_after *after)
{
    struct sp_call *call = seat->port->slots[slot].owner;
    if (call == NULL) {
        if (asks) {
            sp_pool_leave_question(pool, seat, slot);
        } else {
            sp_pool_reap_slot(pool, seat, slot);
        }
    } else if (asks) {
        sp_pool_note_question(pool, call);
    } else {
        sp_pool_end_with_answer(pool, call, after);
    }
}

void sp_pool_collect_seat(struct sp_pool *pool,
                          struct sp_seat *seat,
                          struct sp_after *after)
{
    uint32_t slot;
    bool asks;
    sp_pool_take_returns(pool, seat);
    // What a worker puts in behind these is for the next look.
    for (uint32_t left = seat->port->view.shape.slots;
         left > 0 && !seat->violated && !seat->dead;
         left--) {
        snakepit_err err = sp_port_next_done(seat->port, &slot, &asks);
        if (err == SNAKEPIT_NOT_FOUND) {
            return;
        }
        if (err != SNAKEPIT_OK) {
            sp_pool_violation(pool, seat);
            return;
        }
        take_news(pool, seat, slot, asks, after);
    }
}

// A synchronous caller has looked at its slot and found it changed.
void sp_pool_settle(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_seat *seat = call->seat;
    sp_pool_take_returns(pool, seat);
    switch (sp_port_state(seat->port, call->slot)) {
    case SP_SLOT_QUEUED:
    case SP_SLOT_RUNNING:
    case SP_SLOT_ASKING: // served by whoever waits
        break;
    case SP_SLOT_DONE:
        sp_pool_end_with_answer(pool, call, after);
        break;
    default:
        sp_pool_fail_for_violation(pool, call, after);
    }
    if (seat->port->notifying > 0) {
        sp_pool_collect_seat(pool, seat, after);
    }
}

bool sp_pool_collect(struct sp_pool *pool, struct sp_link *ended)
{
    struct sp_after after = {0};
    struct sp_link *link;
    pthread_mutex_lock(&pool->lock);
    for (link = pool->seats.next; link != &pool->seats; link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->port->notifying > 0) {
            sp_pool_collect_seat(pool, seat, &after);
        }
    }
    sp_pool_fill_freed(pool, &after);
    while ((link = sp_list_take(&pool->ended)) != NULL) {
        sp_list_append(ended, link);
    }
    bool asked = !sp_list_empty(&pool->questions);
    sp_pool_unlock(pool, &after);
    return asked;
}

size_t sp_pool_serve_questions(struct sp_pool *pool)
{
    struct sp_after after = {0};
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    for (; count < SERVED_A_TURN && sp_fork_is_here(pool->process) &&
           !sp_list_empty(&pool->questions);
         count++) {
        struct sp_call *call =
            SP_ENTRY(pool->questions.next, struct sp_call, question_link);
        sp_list_remove(&call->question_link);
        sp_pool_serve_question(pool, call, &after);
    }
    sp_pool_unlock(pool, &after);
    return count;
}

void sp_pool_set_asleep(struct sp_pool *pool, bool asleep)
{
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        atomic_store_explicit(&seat->port->view.header->host_asleep,
                              asleep ? 1 : 0,
                              memory_order_release);
    }
    pthread_mutex_unlock(&pool->lock);
    // [doorbell:sleep] said before the rings are looked at again; pairs with
    // [doorbell:put].
    atomic_thread_fence(memory_order_seq_cst);
}
