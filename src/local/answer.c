// SPDX-License-Identifier: MIT
// From the pit to the client: what is small lies in the slot's own area, the rest in a
// range of the results that the client gives back. Each byte is copied once, what is
// large beside the loop.
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ipc/cpu.h"
#include "ipc/futex.h"
#include "local/inside.h"
#include "payload/writer.h"
#include "pit/glance.h"

// ---- The slot ---------------------------------------------------------------------

// The client may write there as well: nothing is read from it.
static void publish(struct sp_local_call *call, const struct sp_slot_result *result)
{
    struct sp_local_circuit *circuit = call->circuit;
    const uint32_t slot = sp_local_call_slot(call);
    struct sp_slot_result *shared = &circuit->view.slots[slot].result;
    shared->status = result->status;
    shared->call = call->number;
    shared->body = result->body;
    shared->body_size = result->body_size;
    shared->lease = result->lease;
    shared->held = result->held;
    shared->executor = result->executor;
    sp_wait_note_cpu(&circuit->view.header->worker_cpu);
    shared->ran_until = (uint32_t)(sp_clock_ticks() / SP_UNTIL_TICKS);
    shared->ran_ticks = result->ran_ticks;
    const uint32_t word =
        atomic_exchange_explicit(&shared->state, SP_SLOT_DONE, memory_order_acq_rel);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&shared->state, INT32_MAX);
    }
    if ((word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD)) == SP_SLOT_NOTIFY) {
        sp_local_circuit_notify(circuit, slot, call->queue);
    }
}

// The call is over: its slot is the client's.
static void finish(struct sp_local_call *call)
{
    struct sp_local_circuit *circuit = call->circuit;
    struct sp_local_connection *connection = circuit->connection;
    snakepit_stream *stream = call->stream;
    snakepit_answer *answer = call->answer;
    sp_local_question_leave(call);   // a stream ends also while its tool asks
    (void)sp_local_loan_leave(call); // of one whose client has left
    if (sp_link_used(&call->stalled)) {
        sp_list_remove(&call->stalled);
    }
    *call = (struct sp_local_call){.circuit = circuit};
    snakepit_stream_close(stream);
    snakepit_answer_free(answer);
    if (connection != NULL) {
        connection->calls--;
    }
    atomic_fetch_sub_explicit(&circuit->user->calls, 1, memory_order_relaxed);
    if (connection != NULL && connection->told_leaving) {
        sp_local_connection_leave(connection);
    }
    sp_local_circuit_unref(circuit);
}

// ---- Answers ----------------------------------------------------------------------

// Where something that is sent goes.
struct place {
    struct sp_slot_result result;
    uint8_t *body;
    uint64_t tensors; // offset in the results
};

// Finds room. NO_MEMORY.
static snakepit_err find_place(struct sp_local_call *call,
                               const struct sp_local_piece *piece,
                               struct place *place)
{
    struct sp_local_circuit *circuit = call->circuit;
    const uint64_t own = (uint64_t)sp_local_call_slot(call) * SP_INLINE_RESULT;
    const bool is_inline = piece->body.size <= SP_INLINE_RESULT;
    const uint64_t outside = is_inline ? 0 : sp_local_rounded(piece->body.size);
    struct sp_slot_result *result = &place->result;
    uint64_t offset = 0;
    *result = (struct sp_slot_result){.body_size = (uint32_t)piece->body.size,
                                      .lease = SP_NO_LEASE};
    if (outside + piece->bytes > 0 &&
        sp_local_circuit_lend(
            circuit, outside + piece->bytes, &result->lease, &offset) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    result->body = is_inline ? own : offset;
    place->body = circuit->results.base + result->body;
    place->tensors = offset + outside;
    return SNAKEPIT_OK;
}

static void copy(const struct sp_local_circuit *circuit,
                 const struct sp_local_piece *piece,
                 const struct place *place)
{
    memcpy(place->body, piece->body.data, piece->body.size);
    sp_local_piece_place(piece, circuit->results.base, place->tensors, place->body);
}

// What has been placed is the client's.
static void hand_over(struct sp_local_call *call, struct place *place)
{
    place->result.lease = sp_local_stream_leave(call, place->result.lease);
    place->result.held = sp_local_loan_leave(call) ? 1 : 0;
    publish(call, &place->result);
    finish(call);
}

// A fault has no tensors. Where there is no room for its texts it does without.
static void send_fault(struct sp_local_call *call,
                       const snakepit_answer *answer,
                       snakepit_err err,
                       const char *why)
{
    struct sp_local_loop *loop = call->circuit->loop;
    struct sp_local_piece piece = {.tensors = false};
    struct place place;
    const bool written = sp_local_write_fault(loop, answer, err, why);
    if (written) {
        piece.body = (struct sp_slice){loop->text->buf.data, loop->text->buf.size};
    }
    if (!written || find_place(call, &piece, &place) != SNAKEPIT_OK) {
        err = answer != NULL ? snakepit_answer_fault(answer)->err : err;
        (void)sp_local_write_fault(loop, NULL, err, NULL);
        piece.body = (struct sp_slice){loop->text->buf.data, loop->text->buf.size};
        (void)find_place(call, &piece, &place);
    }
    copy(call->circuit, &piece, &place);
    place.result.status = SP_STATUS_FAULT;
    if (answer != NULL) {
        const uint32_t attempts = snakepit_answer_attempts(answer);
        place.result.executor = (uint16_t)(attempts > 0 ? attempts - 1 : 0);
        place.result.ran_ticks = sp_pit_answer_ran(answer);
    }
    hand_over(call, &place);
}

void sp_local_refuse(struct sp_local_call *call, snakepit_err err, const char *why)
{
    if (call->circuit->connection == NULL) {
        finish(call);
    } else {
        send_fault(call, NULL, err, why);
    }
}

void sp_local_skip(struct sp_local_call *call)
{
    const struct sp_slot_result result = {.status = SP_STATUS_SKIPPED,
                                          .lease = SP_NO_LEASE};
    publish(call, &result);
    finish(call);
}

// What another thread copies.
struct sp_local_beside {
    struct sp_offload_work work;
    struct sp_local_call *call;
    struct sp_local_piece piece;
    struct place place;
};

static void copy_beside(struct sp_offload_work *work)
{
    struct sp_local_beside *beside = SP_ENTRY(work, struct sp_local_beside, work);
    copy(beside->call->circuit, &beside->piece, &beside->place);
}

static void copied_beside(struct sp_offload_work *work)
{
    struct sp_local_beside *beside = SP_ENTRY(work, struct sp_local_beside, work);
    struct sp_local_call *call = beside->call;
    struct place place = beside->place;
    sp_free(beside);
    call->beside = false;
    if (call->circuit->connection == NULL) {
        finish(call);
    } else {
        hand_over(call, &place);
    }
}

static bool copy_later(struct sp_local_call *call,
                       const struct sp_local_piece *piece,
                       const struct place *place)
{
    struct sp_local_beside *beside = NULL;
    if (piece->body.size + piece->bytes > SP_LOCAL_LARGE) {
        beside = sp_alloc(sizeof *beside);
    }
    if (beside == NULL) {
        return false;
    }
    *beside = (struct sp_local_beside){.call = call, .piece = *piece, .place = *place};
    beside->work.run = copy_beside;
    beside->work.done = copied_beside;
    call->beside = true;
    sp_offload_do(call->circuit->loop->serve, &beside->work);
    return true;
}

static void send_value(struct sp_local_call *call, const snakepit_answer *answer)
{
    struct sp_local_piece piece;
    struct place place;
    snakepit_reader reader;
    snakepit_answer_reader(answer, &reader);
    if (!sp_local_piece_measure(&reader, &piece)) {
        send_fault(call, NULL, SNAKEPIT_MALFORMED, NULL);
        return;
    }
    if (find_place(call, &piece, &place) != SNAKEPIT_OK) {
        send_fault(call,
                   NULL,
                   SNAKEPIT_NO_MEMORY,
                   "there is no room for the answer: the answers that this program "
                   "keeps take all that it may have; free some, or raise `serve: "
                   "max_memory` of the daemon");
        return;
    }
    const uint32_t attempts = snakepit_answer_attempts(answer);
    place.result.status = SP_STATUS_OK;
    place.result.executor = (uint16_t)(attempts > 0 ? attempts - 1 : 0);
    place.result.ran_ticks = sp_pit_answer_ran(answer);
    if (!copy_later(call, &piece, &place)) {
        copy(call->circuit, &piece, &place);
        hand_over(call, &place);
    }
}

void sp_local_answer(struct sp_local_call *call, snakepit_answer *answer)
{
    if (call->circuit->connection == NULL) {
        finish(call);
    } else if (answer == NULL) {
        send_fault(call, NULL, SNAKEPIT_NO_MEMORY, NULL);
    } else if (snakepit_answer_fault(answer)->err != SNAKEPIT_OK) {
        send_fault(call, answer, SNAKEPIT_OK, NULL);
    } else {
        send_value(call, answer);
    }
}

void sp_local_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct sp_local_call *call = user;
    (void)err; // is that of the answer
    call->answer = answer;
    if (!call->beside) {
        sp_local_answer(call, answer);
    }
}
