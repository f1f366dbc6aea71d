// SPDX-License-Identifier: MIT
// From the client to the pit: each word of a slot is loaded once, checked, and the copy
// is used. What makes no sense ends the connection.
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ipc/ring.h"
#include "local/inside.h"
#include "payload/writer.h"
#include "pit/relay.h"
#include "telemetry/trace_context.h"

#define TRIES 64 // of a slot's state, which a client could change as often as it likes

// What a call asks for, in memory of ours.
struct asked {
    struct sp_slot_request request;
    char tool[SP_TOOL_NAME_MAX + 1];
    char session[SP_SESSION_MAX + 1];
    snakepit_trace_context trace;
    char state[SP_TRACESTATE_MAX + 1];
    snakepit_call_options options;
    snakepit_message why;
};

static bool fail(const struct sp_local_circuit *circuit, const char *why)
{
    sp_local_connection_fail(circuit->connection, why);
    return false;
}

// ---- The slot ---------------------------------------------------------------------

static void load(const struct sp_slot_request *from, struct sp_slot_request *request)
{
#define LOAD(field) request->field = __atomic_load_n(&from->field, __ATOMIC_RELAXED)
    LOAD(call);
    LOAD(name);
    LOAD(name_size);
    LOAD(priority);
    LOAD(idempotent);
    LOAD(session_size);
    LOAD(trace_size);
    LOAD(body);
    LOAD(body_size);
    LOAD(lease);
    LOAD(deadline);
    LOAD(kind);
    LOAD(queue);
    LOAD(cancel);
#undef LOAD
}

enum begun { BEGUN, TAKEN_BACK, NONSENSE };

static enum begun begin(struct sp_slot *slot)
{
    _Atomic uint32_t *state = &slot->result.state;
    uint32_t word = atomic_load_explicit(state, memory_order_acquire);
    for (int tries = 0; tries < TRIES; tries++) {
        const uint32_t now = word & SP_SLOT_STATE;
        if (now == SP_SLOT_TAKEN_BACK) {
            return TAKEN_BACK;
        }
        if (now != SP_SLOT_QUEUED) {
            return NONSENSE;
        }
        const uint32_t running = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_RUNNING;
        if (atomic_compare_exchange_weak_explicit(
                state, &word, running, memory_order_acq_rel, memory_order_acquire)) {
            return BEGUN;
        }
    }
    return NONSENSE;
}

// ---- What it asks for ---------------------------------------------------------------

static bool
lies_within(const struct sp_local_circuit *circuit, uint64_t offset, uint64_t size)
{
    return offset <= circuit->requests.size && size <= circuit->requests.size - offset;
}

// Each is a text of ours then, with a zero behind it and none in it.
static bool copy_text(const uint8_t *from, size_t size, char *text)
{
    memcpy(text, from, size);
    text[size] = '\0';
    return memchr(text, '\0', size) == NULL;
}

_Static_assert(sizeof(snakepit_trace_context) == SP_TRACE_CONTEXT,
               "a slot has the bytes that a program gives");

// The context of its trace lies at the end of its block. The pit refuses one that is
// not valid.
static bool copy_trace(const struct sp_local_circuit *circuit, struct asked *asked)
{
    const struct sp_slot_request *request = &asked->request;
    const size_t size = request->trace_size;
    asked->state[0] = '\0';
    if (size == 0) {
        return true;
    }
    if (size < sizeof asked->trace || size > SP_TRACE_MAX ||
        !lies_within(circuit, request->name, SP_PARCEL_BLOCK)) {
        return false;
    }
    const uint8_t *at = circuit->requests.base + request->name + SP_PARCEL_BLOCK - size;
    memcpy(&asked->trace, at, sizeof asked->trace);
    return copy_text(
        at + sizeof asked->trace, size - sizeof asked->trace, asked->state);
}

static bool copy_texts(const struct sp_local_circuit *circuit, struct asked *asked)
{
    const struct sp_slot_request *request = &asked->request;
    if (request->name_size > SP_TOOL_NAME_MAX ||
        request->session_size > SP_SESSION_MAX ||
        !lies_within(circuit,
                     request->name,
                     (uint64_t)request->name_size + request->session_size)) {
        return false;
    }
    const uint8_t *name = circuit->requests.base + request->name;
    const uint8_t *session = name + request->name_size;
    return copy_text(name, request->name_size, asked->tool) &&
           copy_text(session, request->session_size, asked->session) &&
           copy_trace(circuit, asked);
}

// A time that is up is told by the pit, as every other one.
static void set_time(struct asked *asked)
{
    const uint64_t now = sp_clock_now();
    const uint64_t deadline = asked->request.deadline;
    uint64_t left_ms = 1;
    if (deadline == SP_NEVER) {
        asked->options.begun_ns = now;
        return;
    }
    if (deadline > now) {
        left_ms = (deadline - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS;
        left_ms = left_ms > UINT32_MAX ? UINT32_MAX : left_ms;
    }
    const uint64_t span = left_ms * SP_NS_PER_MS;
    asked->options.timeout_ms = (uint32_t)left_ms;
    asked->options.begun_ns = deadline > span ? deadline - span : 1;
}

static bool read_request(const struct sp_local_circuit *circuit, struct asked *asked)
{
    const struct sp_slot_request *request = &asked->request;
    if (request->priority > SNAKEPIT_MAX_PRIORITY || request->idempotent > 1 ||
        request->body_size > SP_BODY_MAX ||
        !lies_within(circuit, request->body, request->body_size) ||
        (request->kind != SP_CALL_TOOL && request->kind != SP_CALL_STREAM) ||
        !copy_texts(circuit, asked)) {
        return false;
    }
    asked->options = (snakepit_call_options){
        .size = sizeof asked->options,
        .pool = circuit->pool,
        .session_id = asked->session,
        .why = &asked->why,
        .queue = sp_serve_loop_queue(circuit->loop->serve),
        .priority = request->priority,
        .idempotent = request->idempotent != 0,
        .trace = request->trace_size > 0 ? &asked->trace : NULL,
        .tracestate = asked->state,
    };
    asked->why.text[0] = '\0';
    set_time(asked);
    return true;
}

// The arguments, copied but for the tensors, which the pit copies or has on loan.
static snakepit_err read_arguments(const struct sp_local_circuit *circuit,
                                   const struct sp_slot_request *request,
                                   snakepit_writer *writer)
{
    const struct sp_slice body = {circuit->requests.base + request->body,
                                  request->body_size};
    const struct sp_slice memory = {circuit->requests.base, circuit->requests.size};
    return sp_writer_message(writer, body, memory);
}

static size_t tensor_bytes(const snakepit_writer *writer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < writer->tensor_count; i++) {
        bytes += writer->tensors[i].bytes;
    }
    return bytes;
}

// ---- Submitting -------------------------------------------------------------------

static struct sp_pit_relayed relayed(struct sp_local_call *call,
                                     const struct asked *asked,
                                     const snakepit_writer *args)
{
    return (struct sp_pit_relayed){.tool = asked->tool,
                                   .args = args,
                                   .options = &asked->options,
                                   .done = sp_local_done,
                                   .asks = sp_local_asks,
                                   .user = call,
                                   .loan = sp_local_loan_of(call)};
}

// Streams are submitted on the loop, whose queue they report to.
static void open_stream(struct sp_local_call *call,
                        struct asked *asked,
                        const snakepit_writer *args)
{
    asked->options.ready = sp_local_ready;
    asked->options.ready_user = call;
    struct sp_pit_relayed stream = relayed(call, asked, args);
    stream.done = NULL;
    snakepit_err err = sp_pit_relay_stream(call->circuit->pit, &stream, &call->stream);
    call->id = snakepit_stream_id(call->stream);
    if (err == SNAKEPIT_OK && call->cancelled) {
        (void)snakepit_cancel(call->circuit->pit, call->id);
    } else if (err != SNAKEPIT_OK) {
        sp_local_answer(call, snakepit_stream_answer(call->stream));
    }
}

static snakepit_err submit(struct sp_local_call *call,
                           const struct asked *asked,
                           const snakepit_writer *args)
{
    const struct sp_pit_relayed all = relayed(call, asked, args);
    return sp_pit_relay(call->circuit->pit, &all, &call->id);
}

// It is under way, or not, and may have ended already where that was beside the loop.
static void
submitted(struct sp_local_call *call, snakepit_err err, const snakepit_message *why)
{
    if (err != SNAKEPIT_OK) {
        sp_local_refuse(call, err, why->text);
    } else if (call->answer != NULL) {
        sp_local_answer(call, call->answer);
    } else if (call->cancelled) {
        (void)snakepit_cancel(call->circuit->pit, call->id);
    }
}

// ---- Beside the loop ----------------------------------------------------------------

struct beside {
    struct sp_offload_work work;
    struct sp_local_call *call;
    struct asked asked;
    snakepit_writer *args;
    snakepit_err err;
    bool read; // the arguments are in `args`
    bool ran;
};

static void submit_beside(struct sp_offload_work *work)
{
    struct beside *beside = SP_ENTRY(work, struct beside, work);
    struct sp_local_call *call = beside->call;
    const struct sp_slot_request *request = &beside->asked.request;
    beside->ran = true;
    if (!beside->read) {
        beside->err = read_arguments(call->circuit, request, beside->args);
    }
    beside->read = beside->err == SNAKEPIT_OK;
    if (beside->read && request->kind == SP_CALL_TOOL) {
        beside->err = submit(call, &beside->asked, beside->args);
    }
}

static void submitted_beside(struct sp_offload_work *work)
{
    struct beside *beside = SP_ENTRY(work, struct beside, work);
    struct sp_local_call *call = beside->call;
    const bool is_stream = beside->asked.request.kind == SP_CALL_STREAM;
    call->beside = false;
    if (!beside->ran) {
        beside->err = SNAKEPIT_SHUTTING_DOWN; // of which nobody hears
    }
    if (!beside->read && beside->err == SNAKEPIT_MALFORMED &&
        call->circuit->connection != NULL) {
        sp_local_connection_fail(call->circuit->connection,
                                 "the arguments of a call were not MessagePack");
    }
    if (beside->err == SNAKEPIT_OK && is_stream && call->circuit->connection != NULL) {
        open_stream(call, &beside->asked, beside->args);
    } else {
        const snakepit_err err =
            is_stream && beside->err == SNAKEPIT_OK ? SNAKEPIT_CANCELLED : beside->err;
        submitted(call, err, &beside->asked.why);
    }
    snakepit_writer_free(beside->args);
    sp_free(beside);
}

// Takes `args` with what was read already, or NULL.
static bool submit_later(struct sp_local_call *call,
                         const struct asked *asked,
                         snakepit_writer *args)
{
    struct beside *beside = sp_alloc(sizeof *beside);
    snakepit_writer *writer = args != NULL ? args : snakepit_writer_new();
    if (beside == NULL || writer == NULL) {
        sp_free(beside);
        snakepit_writer_free(writer);
        return false;
    }
    beside->call = call;
    beside->asked = *asked;
    beside->asked.options.session_id = beside->asked.session;
    if (asked->options.trace != NULL) {
        beside->asked.options.trace = &beside->asked.trace;
    }
    beside->asked.options.tracestate = beside->asked.state;
    beside->asked.options.why = &beside->asked.why;
    beside->args = writer;
    beside->read = args != NULL;
    beside->work.run = submit_beside;
    beside->work.done = submitted_beside;
    call->beside = true;
    sp_offload_do(call->circuit->loop->serve, &beside->work);
    return true;
}

// Hands the writer with large tensors over, and makes another one.
static bool submit_tensors(struct sp_local_call *call, const struct asked *asked)
{
    struct sp_local_loop *loop = call->circuit->loop;
    snakepit_writer *args = loop->args;
    snakepit_writer *next = snakepit_writer_new();
    if (next == NULL) {
        return false;
    }
    loop->args = next;
    return submit_later(call, asked, args);
}

// ---- Calls ------------------------------------------------------------------------

static void submit_now(struct sp_local_call *call, struct asked *asked)
{
    const snakepit_writer *args =
        asked->request.body_size > 0 ? call->circuit->loop->args : NULL;
    if (asked->request.kind == SP_CALL_STREAM) {
        open_stream(call, asked, args);
    } else {
        submitted(call, submit(call, asked, args), &asked->why);
    }
}

static void take_call(struct sp_local_call *call, struct asked *asked)
{
    struct sp_local_loop *loop = call->circuit->loop;
    const struct sp_slot_request *request = &asked->request;
    snakepit_err err = SNAKEPIT_OK;
    if (request->body_size > SP_LOCAL_LARGE) {
        if (!submit_later(call, asked, NULL)) {
            sp_local_refuse(call, SNAKEPIT_NO_MEMORY, NULL);
        }
        return;
    }
    snakepit_writer_reset(loop->args);
    if (request->body_size > 0) {
        err = read_arguments(call->circuit, request, loop->args);
    }
    if (err == SNAKEPIT_OK && tensor_bytes(loop->args) > SP_LOCAL_LARGE &&
        !sp_local_lend(call, request->lease)) {
        err = submit_tensors(call, asked) ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    } else if (err == SNAKEPIT_OK) {
        submit_now(call, asked);
    }
    if (err == SNAKEPIT_MALFORMED) {
        (void)fail(call->circuit, "the arguments of a call were not MessagePack");
    }
    if (err != SNAKEPIT_OK) {
        sp_local_refuse(call, err, NULL);
    }
}

static void count_in(struct sp_local_call *call, const struct sp_slot_request *request)
{
    struct sp_local_circuit *circuit = call->circuit;
    call->number = request->call;
    call->queue = request->queue;
    call->cancelled = request->cancel != 0;
    call->tube_lease = SP_NO_LEASE;
    circuit->connection->calls++;
    circuit->refs++;
}

static bool may_call(struct sp_local_call *call)
{
    struct sp_local_circuit *circuit = call->circuit;
    const struct sp_serve_config *config = sp_serve_loop_config(circuit->loop->serve);
    const uint32_t before =
        atomic_fetch_add_explicit(&circuit->user->calls, 1, memory_order_relaxed);
    if (before >= config->max_calls_per_user) {
        sp_local_refuse(call,
                        SNAKEPIT_SATURATED,
                        "this user has as many calls under way as `serve: "
                        "max_calls_per_user` of the daemon allows");
        return false;
    }
    return true;
}

// Takes the call of a slot. False: it makes no sense.
static bool take(struct sp_local_circuit *circuit, uint32_t number)
{
    struct asked asked;
    if (number >= circuit->view.shape.slots || circuit->calls[number].number != 0) {
        return fail(circuit, "it submitted a slot that is not free");
    }
    struct sp_slot *slot = &circuit->view.slots[number];
    struct sp_local_call *call = &circuit->calls[number];
    sp_tube_clear(slot);
    const enum begun begun = begin(slot);
    load(&slot->request, &asked.request);
    if (begun == NONSENSE || asked.request.call == 0) {
        return fail(circuit, "it submitted a slot that is not queued");
    }
    count_in(call, &asked.request);
    if (begun == TAKEN_BACK) {
        atomic_fetch_add_explicit(&circuit->user->calls, 1, memory_order_relaxed);
        sp_local_skip(call);
        return true;
    }
    if (!may_call(call)) {
        return true;
    }
    if (!read_request(circuit, &asked)) {
        sp_local_refuse(call, SNAKEPIT_PROTOCOL, NULL);
        return fail(circuit, "a call names memory that is not there");
    }
    take_call(call, &asked);
    return true;
}

uint32_t sp_local_circuit_take(struct sp_local_circuit *circuit, uint32_t most)
{
    const uint32_t mask = circuit->view.shape.slots - 1;
    uint32_t count = 0;
    uint32_t number;
    // What a client has handed in since it was told goes to the next daemon.
    while (count < most && circuit->connection->why == NULL &&
           !circuit->connection->told_leaving &&
           sp_ring_peek(circuit->view.submit, mask, circuit->submit_head, &number)) {
        circuit->submit_head++;
        count++;
        (void)take(circuit, number);
    }
    if (!sp_local_circuit_collect(circuit)) {
        (void)fail(circuit, "it returned memory that it did not have");
    }
    return count;
}

void sp_local_call_cancel(struct sp_local_call *call)
{
    struct sp_local_circuit *circuit = call->circuit;
    snakepit_stream *stream = call->stream;
    call->cancelled = true;
    if (circuit->connection == NULL && stream != NULL && !call->beside) {
        sp_local_answer(call, NULL); // which closes it
    } else if (!call->beside && call->id != 0) {
        (void)snakepit_cancel(circuit->pit, call->id);
        sp_local_ready(call, stream); // one that has ended is not told so again
    }
}
