// SPDX-License-Identifier: MIT
// What the tool of a call asks its host goes to the client, as a worker's question goes
// to its host: through the slot, which is ASKING until the client has replied.
#include <string.h>

#include "ipc/futex.h"
#include "ipc/ring.h"
#include "local/inside.h"
#include "payload/reader.h"
#include "payload/writer.h"

static void answer(struct sp_local_call *call,
                   enum sp_reply_kind kind,
                   const snakepit_writer *writer)
{
    struct sp_deferred_question *held = call->held;
    call->held = NULL;
    if (sp_link_used(&call->asking)) {
        sp_list_remove(&call->asking);
    }
    sp_deferred_question_answer(held, kind, writer);
}

void sp_local_question_leave(struct sp_local_call *call)
{
    if (call->held != NULL) {
        answer(call, SP_REPLY_LEFT, NULL);
    }
}

static void refuse(struct sp_local_call *call, snakepit_err err)
{
    snakepit_writer *writer = call->circuit->loop->text;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 4);
    snakepit_writer_str(writer, "err");
    snakepit_writer_int(writer, (int64_t)err);
    snakepit_writer_str(writer, "code");
    snakepit_writer_str(writer, snakepit_err_name(err));
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, snakepit_err_text(err));
    snakepit_writer_str(writer, "type");
    snakepit_writer_str(writer, "");
    answer(call, SP_REPLY_FAULT, writer);
}

// ---- Asking -----------------------------------------------------------------------

// The client's reply rings: we sleep on the word, as it were.
static void publish(struct sp_local_call *call, const struct sp_slot_result *result)
{
    struct sp_local_circuit *circuit = call->circuit;
    const uint32_t kept = SP_SLOT_NOTIFY | SP_SLOT_TOLD | SP_SLOT_READER;
    const uint32_t slot = sp_local_call_slot(call);
    struct sp_slot_result *shared = &circuit->view.slots[slot].result;
    shared->status = SP_STATUS_QUESTION;
    shared->call = call->number;
    shared->body = result->body;
    shared->body_size = result->body_size;
    shared->lease = result->lease;
    uint32_t word = atomic_load_explicit(&shared->state, memory_order_relaxed);
    uint32_t next;
    do {
        next = ((word >> SP_SLOT_TURN_SHIFT) + 1) << SP_SLOT_TURN_SHIFT |
               (word & kept) | SP_SLOT_SLEEPER | SP_SLOT_ASKING;
        next |= (word & SP_SLOT_NOTIFY) != 0 ? SP_SLOT_TOLD : 0;
    } while (!atomic_compare_exchange_weak_explicit(
        &shared->state, &word, next, memory_order_acq_rel, memory_order_relaxed));
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&shared->state, INT32_MAX);
    }
    if ((next & ~word & SP_SLOT_TOLD) != 0) {
        sp_local_circuit_notify(circuit, slot, call->queue);
    }
}

// Where the question lies. NO_MEMORY.
static snakepit_err place(struct sp_local_call *call,
                          const struct sp_local_piece *piece,
                          struct sp_slot_result *result)
{
    struct sp_local_circuit *circuit = call->circuit;
    const bool is_inline = piece->body.size <= SP_INLINE_RESULT;
    const uint64_t outside = is_inline ? 0 : sp_local_rounded(piece->body.size);
    uint64_t offset = 0;
    *result = (struct sp_slot_result){.body_size = (uint32_t)piece->body.size,
                                      .lease = SP_NO_LEASE};
    if (outside + piece->bytes > 0 &&
        sp_local_circuit_lend(
            circuit, outside + piece->bytes, &result->lease, &offset) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    result->body =
        is_inline ? (uint64_t)sp_local_call_slot(call) * SP_INLINE_RESULT : offset;
    uint8_t *body = circuit->results.base + result->body;
    memcpy(body, piece->body.data, piece->body.size);
    sp_local_piece_place(piece, circuit->results.base, offset + outside, body);
    return SNAKEPIT_OK;
}

void sp_local_asks(void *user, struct sp_deferred_question *held)
{
    struct sp_local_call *call = user;
    struct sp_local_piece piece;
    struct sp_slot_result result;
    struct sp_slice body;
    struct sp_slice memory;
    snakepit_reader reader;
    call->held = held;
    if (call->circuit->connection == NULL) {
        sp_local_question_leave(call);
        return;
    }
    sp_deferred_question_look(held, &body, &memory);
    sp_reader_init(&reader, body, memory);
    if (!sp_local_piece_measure(&reader, &piece)) {
        refuse(call, SNAKEPIT_MALFORMED);
    } else if (place(call, &piece, &result) != SNAKEPIT_OK) {
        refuse(call, SNAKEPIT_NO_MEMORY);
    } else {
        sp_list_append(&call->circuit->asking, &call->asking);
        publish(call, &result);
    }
}

// ---- Hearing ----------------------------------------------------------------------

// What the client has written where the call's request was; each word once.
struct reply {
    uint64_t body;
    uint32_t body_size;
    uint32_t lease;
    uint16_t kind;
};

static struct reply load(const struct sp_slot_request *from)
{
    return (struct reply){
        .body = __atomic_load_n(&from->body, __ATOMIC_RELAXED),
        .body_size = __atomic_load_n(&from->body_size, __ATOMIC_RELAXED),
        .lease = __atomic_load_n(&from->lease, __ATOMIC_RELAXED),
        .kind = __atomic_load_n(&from->reply, __ATOMIC_RELAXED),
    };
}

// Copies the body into loop->args.
static snakepit_err read_body(struct sp_local_circuit *circuit,
                              const struct reply *reply)
{
    const struct sp_segment *requests = &circuit->requests;
    snakepit_writer *writer = circuit->loop->args;
    if (reply->body_size > SP_BODY_MAX || reply->body > requests->size ||
        reply->body_size > requests->size - reply->body) {
        return SNAKEPIT_MALFORMED;
    }
    const struct sp_slice body = {requests->base + reply->body, reply->body_size};
    const struct sp_slice memory = {requests->base, requests->size};
    snakepit_writer_reset(writer);
    return sp_writer_message(writer, body, memory);
}

static void return_lease(struct sp_local_circuit *circuit, uint32_t lease)
{
    const uint32_t mask = circuit->view.shape.leases - 1;
    if (lease <= mask) {
        sp_ring_put(
            circuit->view.request_returns, mask, circuit->returned_tail++, lease);
    }
}

static void take_reply(struct sp_local_call *call)
{
    struct sp_local_circuit *circuit = call->circuit;
    const struct reply reply =
        load(&circuit->view.slots[sp_local_call_slot(call)].request);
    const bool has_body = reply.kind == SP_REPLY_RESULT ||
                          (reply.kind == SP_REPLY_FAULT && reply.body_size > 0);
    snakepit_err err = has_body ? read_body(circuit, &reply) : SNAKEPIT_OK;
    if (err == SNAKEPIT_MALFORMED || reply.kind > SP_REPLY_LEFT) {
        sp_local_connection_fail(circuit->connection,
                                 "its reply to a question makes no sense");
        answer(call, SP_REPLY_LEFT, NULL);
    } else if (err != SNAKEPIT_OK || (reply.kind == SP_REPLY_FAULT && !has_body)) {
        refuse(call, SNAKEPIT_NO_MEMORY);
    } else {
        answer(call, (enum sp_reply_kind)reply.kind, circuit->loop->args);
    }
    return_lease(circuit, reply.lease);
}

// A client that has read of a stream takes the mark away as it rings: the reply is to
// ring as well.
static uint32_t look_at(struct sp_slot *slot)
{
    _Atomic uint32_t *state = &slot->result.state;
    const uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    const uint32_t now = word & SP_SLOT_STATE;
    if ((now != SP_SLOT_ASKING && now != SP_SLOT_ANSWERING) ||
        (word & SP_SLOT_SLEEPER) != 0) {
        return word;
    }
    return atomic_fetch_or_explicit(state, SP_SLOT_SLEEPER, memory_order_acq_rel);
}

void sp_local_circuit_hear(struct sp_local_circuit *circuit)
{
    struct sp_link *next;
    for (struct sp_link *link = circuit->asking.next; link != &circuit->asking;
         link = next) {
        struct sp_local_call *call = SP_ENTRY(link, struct sp_local_call, asking);
        struct sp_slot *slot = &circuit->view.slots[sp_local_call_slot(call)];
        const uint32_t state = look_at(slot) & SP_SLOT_STATE;
        next = link->next;
        if (state == SP_SLOT_RUNNING) {
            take_reply(call);
        } else if (state != SP_SLOT_ASKING && state != SP_SLOT_ANSWERING) {
            sp_local_connection_fail(circuit->connection,
                                     "a slot that asked is in no state that follows");
            return;
        }
    }
}
