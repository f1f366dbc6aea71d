// SPDX-License-Identifier: MIT
// How a call ends: by its answer, by its time, by its caller, or by the death of its
// worker. All of them meet in sp_pool_end(), under the lock, once.
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/memory.h"
#include "base/text.h"
#include "payload/reader.h"
#include "payload/wire.h"
#include "pool/question.h"
#include "pool/stream.h"

#define SERVED_A_TURN 64u // questions of submitted calls between two other looks

// ---- Leaving a slot -----------------------------------------------------------

void sp_pool_unplace(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_seat *seat = call->seat;
    sp_list_remove(&call->seat_link);
    if (call->request_lease != SP_NO_LEASE) {
        sp_seat_end_lease(&pool->store, seat, call->request_lease, call->parcel, false);
        call->request_lease = SP_NO_LEASE;
    }
    call->seat = NULL;
    pool->placed--;
    if (!call->served) {
        sp_schedule_set_load(&pool->schedule, seat, seat->load - 1);
    }
    call->served = false;
}

static void learn(struct sp_pool *pool, uint64_t ran_ticks)
{
    uint64_t ran = ran_ticks > 0 ? ran_ticks : 1;
    pool->ran_average =
        pool->ran_average == 0 ? ran : (7 * pool->ran_average + ran) / 8;
}

// Keeps what the worker wrote: a small body as a copy, a large one by its lease.
static void keep_answer(struct sp_call *call,
                        struct sp_port *port,
                        const struct sp_port_answer *answer)
{
    call->err = answer->status == SP_STATUS_OK ? SNAKEPIT_OK : SNAKEPIT_TOOL_FAILED;
    call->body = (struct sp_slice){answer->body, answer->body_size};
    if (answer->body_size <= sizeof call->room) {
        memcpy(call->room, answer->body, answer->body_size);
        call->body.data = call->room;
    }
    if (answer->lease != SP_NO_LEASE || answer->body_size > sizeof call->room) {
        sp_port_ref(port);
        call->port = port;
        call->result_lease = answer->lease;
    }
}

// A worker that broke the protocol is killed; this call of its gets its answer now.
void sp_pool_fail_for_violation(struct sp_pool *pool,
                                struct sp_call *call,
                                struct sp_after *after)
{
    struct sp_seat *seat = call->seat;
    struct sp_failure failure = {
        .err = SNAKEPIT_PROTOCOL, .stage = "running", .worker = seat->worker_id};
    sp_pool_violation(pool, seat);
    // Its slot and its parcel stay with the worker until that is dead.
    sp_pool_abandon(pool, call, &failure, after);
}

void sp_pool_end_with_answer(struct sp_pool *pool,
                             struct sp_call *call,
                             struct sp_after *after)
{
    struct sp_seat *seat = call->seat;
    struct sp_port_answer answer;
    if (call->stream != NULL) {
        sp_stream_keep(call);
    }
    if (sp_port_take_answer(seat->port, call->slot, &answer) != SNAKEPIT_OK ||
        answer.status == SP_STATUS_SKIPPED) {
        sp_pool_fail_for_violation(pool, call, after);
        return;
    }
    if (call->request_lease != SP_NO_LEASE) {
        sp_seat_end_lease(
            &pool->store, seat, call->request_lease, call->parcel, answer.held);
        call->request_lease = SP_NO_LEASE;
    }
    keep_answer(call, seat->port, &answer);
    call->fault.worker = seat->worker_id;
    if (call->stream == NULL) {
        learn(pool, answer.ran_ticks); // how long a stream takes is its reader's doing
    }
    if (call->asynchronous) {
        uint32_t cpu = atomic_load_explicit(&seat->port->view.header->worker_cpu,
                                            memory_order_relaxed);
        atomic_store_explicit(&pool->peer_cpu, cpu, memory_order_relaxed);
    }
    sp_pool_unplace(pool, call);
    sp_pool_end(pool, call, after);
    sp_pool_dispatch(pool, after);
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

// ---- Giving up ----------------------------------------------------------------

static struct sp_orphan *orphan_of(struct sp_call *call)
{
    // The record was made with the parcel, so that giving up needs no memory.
    struct sp_orphan *orphan = call->parcel->orphan;
    call->parcel->orphan = NULL;
    *orphan = (struct sp_orphan){
        .parcel = call->parcel,
        .call = call->id,
        .since = sp_clock_now(),
        .slot = call->slot,
        .lease = call->request_lease,
        .served = call->served,
    };
    call->served = false;
    call->parcel = NULL;
    call->request_lease = SP_NO_LEASE;
    return orphan;
}

// The call leaves, its slot stays in use until the worker is done with it.
static void leave_orphan(struct sp_pool *pool, struct sp_call *call)
{
    struct sp_seat *seat = call->seat;
    struct sp_orphan *orphan = orphan_of(call);
    sp_list_append(&seat->orphans, &orphan->link);
    sp_list_remove(&call->seat_link);
    call->seat = NULL;
    pool->placed--;
    pool->orphans++;
    pool->hooks.attention(pool->hooks.user);
}

void sp_pool_abandon(struct sp_pool *pool,
                     struct sp_call *call,
                     const struct sp_failure *failure,
                     struct sp_after *after)
{
    struct sp_seat *seat = call->seat;
    struct sp_port *port = seat->port;
    struct sp_failure told = *failure;
    told.worker = seat->worker_id;
    // A waiter that the slot wakes must see that it has no business there any more.
    atomic_fetch_add_explicit(&call->moves, 1, memory_order_release);
    if (!seat->violated && sp_port_take_back(port, call->slot)) {
        told.stage = "worker";
        sp_pool_unplace(pool, call);
        sp_pool_await_passing(pool, seat);
    } else {
        told.stage = "running";
        sp_port_cancel(port, call->slot);
        // Where this fails the worker has just ended the call, or writes nonsense;
        // either way the slot is looked at again by the tick.
        (void)sp_port_give_up(port, call->slot);
        leave_orphan(pool, call);
    }
    sp_pool_fail_call(pool, call, &told, after);
    sp_pool_dispatch(pool, after);
}

void sp_pool_give_up(struct sp_pool *pool,
                     struct sp_call *call,
                     snakepit_err err,
                     struct sp_after *after)
{
    struct sp_failure failure = {.err = err, .stage = "line"};
    if (call->phase == SP_CALL_IN_LINE) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
    } else if (call->phase == SP_CALL_PLACED) {
        sp_pool_abandon(pool, call, &failure, after);
    }
}

snakepit_err sp_pool_cancel(struct sp_pool *pool, uint64_t id)
{
    struct sp_after after = {0};
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    pthread_mutex_lock(&pool->lock);
    for (struct sp_link *link = pool->asyncs.next; link != &pool->asyncs;
         link = link->next) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, async_link);
        if (call->id != id) {
            continue;
        }
        sp_pool_give_up(pool, call, SNAKEPIT_CANCELLED, &after);
        err = SNAKEPIT_OK;
        break;
    }
    sp_pool_unlock(pool, &after);
    return err;
}

void sp_pool_expire(struct sp_pool *pool,
                    struct sp_call *call,
                    uint64_t now,
                    struct sp_after *after)
{
    struct sp_failure failure = {.err = SNAKEPIT_DEADLINE_EXCEEDED, .stage = "line"};
    if (call->phase == SP_CALL_IN_LINE && now >= call->line_deadline) {
        sp_line_remove(&pool->line, call);
        sp_pool_fail_call(pool, call, &failure, after);
        sp_pool_dispatch(pool, after);
    } else if (call->phase == SP_CALL_PLACED && now >= call->deadline) {
        sp_pool_abandon(pool, call, &failure, after);
    }
}

// ---- The completion ring ------------------------------------------------------

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

void sp_pool_bury_orphan(struct sp_pool *pool,
                         struct sp_seat *seat,
                         struct sp_orphan *orphan,
                         bool held)
{
    if (orphan->lease != SP_NO_LEASE) {
        sp_seat_end_lease(&pool->store, seat, orphan->lease, orphan->parcel, held);
    }
    sp_parcel_free(&pool->store, orphan->parcel);
    sp_list_remove(&orphan->link);
    if (!orphan->served) {
        sp_schedule_set_load(&pool->schedule, seat, seat->load - 1);
    }
    pool->orphans--;
    if (pool->orphans == 0 && pool->state == SP_POOL_STOPPING) {
        pool->hooks.changed(pool->hooks.user);
    }
    sp_free(orphan);
}

void sp_pool_await_passing(struct sp_pool *pool, struct sp_seat *seat)
{
    seat->passing++;
    // The slot comes back through the completion ring.
    pool->hooks.attention(pool->hooks.user);
}

void sp_pool_set_stuck(struct sp_pool *pool, struct sp_seat *seat, uint64_t since)
{
    uint32_t was = seat->stuck_since != 0 ? 1 : 0;
    uint32_t is = since != 0 ? 1 : 0;
    seat->stuck_since = since;
    sp_schedule_set_load(&pool->schedule, seat, seat->load - was + is);
}

// Ends a slot that nobody waits for: a call that was taken back or given up.
void sp_pool_reap_slot(struct sp_pool *pool,
                       struct sp_seat *seat,
                       uint32_t slot,
                       struct sp_after *after)
{
    struct sp_port_answer answer;
    if (sp_port_take_answer(seat->port, slot, &answer) != SNAKEPIT_OK) {
        sp_pool_violation(pool, seat);
        return;
    }
    sp_port_return_result(seat->port, answer.lease);
    struct sp_orphan *orphan = find_orphan(seat, slot);
    if (orphan != NULL) {
        sp_pool_bury_orphan(pool, seat, orphan, answer.held);
        sp_pool_dispatch(pool, after);
        return;
    }
    seat->passing -= seat->passing > 0 ? 1 : 0;
    if (seat->passing == 0 && seat->stuck_since != 0) {
        sp_pool_set_stuck(pool, seat, 0);
        sp_pool_dispatch(pool, after);
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
            sp_pool_reap_slot(pool, seat, slot, after);
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

// ---- After the lock -----------------------------------------------------------

// A text of the fault, copied, cut, and fit for a terminal; the worker's bytes are not
// terminated.
static bool fault_text(const snakepit_reader *map, const char *key, struct sp_buf *text)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return sp_buf_append(text, "", 1) == SNAKEPIT_OK;
    }
    size_t size =
        value.as.text.size < SP_FAULT_TEXT_MAX ? value.as.text.size : SP_FAULT_TEXT_MAX;
    if (sp_buf_append(text, value.as.text.data, size) != SNAKEPIT_OK) {
        return false;
    }
    sp_text_clean((char *)text->data, size, SP_TEXT_BLOCK);
    return sp_buf_append(text, "", 1) == SNAKEPIT_OK;
}

static bool err_can_be_a_tools(int64_t number)
{
    return number == SNAKEPIT_TOOL_FAILED || number == SNAKEPIT_UNKNOWN_TOOL ||
           number == SNAKEPIT_UNSERIALISABLE || number == SNAKEPIT_NO_MEMORY ||
           number == SNAKEPIT_MALFORMED || number == SNAKEPIT_CANCELLED ||
           number == SNAKEPIT_DEADLINE_EXCEEDED || number == SNAKEPIT_QUOTA_EXCEEDED;
}

static snakepit_err fault_err(const snakepit_reader *map)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, "err", &at) == SNAKEPIT_OK &&
        snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_INTEGER && err_can_be_a_tools(value.as.integer)) {
        return (snakepit_err)value.as.integer;
    }
    return SNAKEPIT_TOOL_FAILED;
}

static void open_fault(struct sp_call *call)
{
    snakepit_reader map;
    snakepit_reader_init(&map, call->body.data, call->body.size);
    struct sp_failure failure = {
        .err = fault_err(&map), .stage = "running", .worker = call->fault.worker};
    struct sp_buf texts[4] = {0};
    bool kept = fault_text(&map, "type", &texts[0]) &&
                fault_text(&map, "message", &texts[1]) &&
                fault_text(&map, "traceback", &texts[2]) &&
                fault_text(&map, "arguments", &texts[3]);
    if (kept) {
        failure.type = (const char *)texts[0].data;
        failure.message = texts[1].size > 1 ? (const char *)texts[1].data : NULL;
        failure.traceback = (const char *)texts[2].data;
        failure.arguments = (const char *)texts[3].data;
    }
    sp_call_set_failure(call, &failure);
    for (int i = 0; i < 4; i++) {
        sp_buf_fini(&texts[i]);
    }
}

// A large body is copied out of the worker's reach before anyone parses it.
static bool copy_large(struct sp_call *call)
{
    if (call->port == NULL || call->body.data == call->room || call->body.size == 0) {
        return true;
    }
    if (sp_buf_append(&call->large, call->body.data, call->body.size) != SNAKEPIT_OK) {
        return false;
    }
    call->body.data = call->large.data;
    return true;
}

void sp_call_open(struct sp_call *call)
{
    // The arguments are not needed any more; only what Python still holds stays with
    // its lease.
    if (call->parcel != NULL) {
        sp_parcel_empty(&call->pool->store, call->parcel);
    }
    if (call->body.data == NULL) {
        return;
    }
    if (!copy_large(call)) {
        struct sp_failure failure = {.err = SNAKEPIT_NO_MEMORY, .stage = "running"};
        sp_call_set_failure(call, &failure);
    } else if (call->err != SNAKEPIT_OK) {
        open_fault(call);
    }
}
