// SPDX-License-Identifier: MIT
// The completion rings: what workers say of submitted calls, and of slots that nobody
// waits for.
#include "pool/inside.h"

#include "base/fork.h"
#include "ipc/completion.h"
#include "pool/question.h"
#include "pool/stream.h"

#define SERVED_A_TURN 64u // questions of submitted calls that one turn serves

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
        snakepit_stop stop = answer.status == SP_STATUS_STOPPED
                                 ? SNAKEPIT_STOP_EXCEPTION
                                 : SNAKEPIT_STOP_COOPERATIVE;
        sp_pool_release_orphan(pool, seat, orphan, stop, answer.held);
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
                      bool runs,
                      struct sp_after *after)
{
    struct sp_call *call = seat->port->slots[slot].owner;
    if (call == NULL) {
        if (runs) {
            sp_pool_leave_question(pool, seat, slot);
        } else {
            sp_pool_reap_slot(pool, seat, slot);
        }
    } else if (!runs) {
        sp_pool_end_with_answer(pool, call, after);
    } else if (call->stream == NULL) {
        sp_pool_note_question(pool, call);
    } else {
        sp_stream_hear(pool, call);
        if (sp_port_state(seat->port, slot) == SP_SLOT_ASKING) {
            sp_pool_note_question(pool, call);
        }
    }
}

void sp_pool_collect_seat(struct sp_pool *pool,
                          struct sp_seat *seat,
                          struct sp_after *after)
{
    uint32_t slot;
    bool runs;
    sp_pool_take_returns(pool, seat);
    // What a worker puts in behind these is for the next look.
    for (uint32_t left = seat->port->view.shape.slots;
         left > 0 && !seat->violated && !seat->dead;
         left--) {
        snakepit_err err = sp_port_next_done(seat->port, &slot, &runs);
        if (err == SNAKEPIT_NOT_FOUND) {
            return;
        }
        if (err != SNAKEPIT_OK) {
            sp_pool_violation(pool, seat);
            return;
        }
        pool->heard++;
        take_news(pool, seat, slot, runs, after);
    }
}

// A synchronous caller has looked at its slot and found it changed.
void sp_pool_settle(struct sp_pool *pool, struct sp_call *call, struct sp_after *after)
{
    struct sp_seat *seat = call->placement.seat;
    sp_pool_take_returns(pool, seat);
    switch (sp_port_state(seat->port, call->placement.slot)) {
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

void sp_pool_collect(struct sp_pool *pool, uint32_t queue, struct sp_pool_news *news)
{
    struct sp_after after = {0};
    struct sp_lane *lane = &pool->lanes[queue];
    struct sp_link *link;
    pthread_mutex_lock(&pool->lock);
    for (link = pool->seats.next; link != &pool->seats; link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        if (seat->port->notifying > 0) {
            sp_pool_collect_seat(pool, seat, &after);
        }
    }
    sp_pool_fill_freed(pool, &after);
    while ((link = sp_list_take(&lane->ended)) != NULL) {
        sp_list_append(&news->ended, link);
        lane->open--;
    }
    news->asked |= !sp_list_empty(&lane->questions);
    news->readable += lane->readable_count;
    news->heard += pool->heard;
    sp_pool_unlock(pool, &after);
}

bool sp_pool_queue_is_used(struct sp_pool *pool, uint32_t queue)
{
    pthread_mutex_lock(&pool->lock);
    bool used = pool->lanes[queue].open > 0;
    pthread_mutex_unlock(&pool->lock);
    return used;
}

size_t sp_pool_serve_questions(struct sp_pool *pool, uint32_t queue)
{
    struct sp_after after = {0};
    struct sp_link *questions = &pool->lanes[queue].questions;
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    for (; count < SERVED_A_TURN && sp_fork_is_here(pool->process) &&
           !sp_list_empty(questions);
         count++) {
        struct sp_call *call = SP_ENTRY(questions->next, struct sp_call, inquiry.link);
        sp_list_remove(&call->inquiry.link);
        sp_pool_serve_question(pool, call, &after);
    }
    sp_pool_unlock(pool, &after);
    return count;
}

void sp_pool_ring_for(struct sp_pool *pool, uint32_t queue)
{
    uint64_t bit = sp_completion_bit(queue);
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->seats.next; link != &pool->seats;
         link = link->next) {
        struct sp_seat *seat = SP_ENTRY(link, struct sp_seat, member);
        _Atomic uint64_t *asleep = &seat->port->view.header->asleep;
        if ((atomic_load_explicit(asleep, memory_order_relaxed) & bit) == 0) {
            atomic_fetch_or_explicit(asleep, bit, memory_order_release);
            sp_port_empty_doorbell(seat->port);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    // [doorbell:sleep] said before the rings are looked at again; pairs with
    // [doorbell:put].
    atomic_thread_fence(memory_order_seq_cst);
}
