// SPDX-License-Identifier: MIT
// What comes is taken from the client at once, for a message is bounded; of a call
// whose messages go both ways, only as fast as the client reads its answers.
#include "services/call.h"

#include <string.h>

#include "api/gate.h"
#include "api/inside.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "grpc/reply.h"
#include "payload/writer.h"
#include "server/server.h"
#include "services/early_tensor.h"
#include "services/intake.h"

#define KEPT            4096u // bytes of a message's room
#define LOOK_MS         250u
#define LONGEST_WAIT_MS UINT64_C(86400000) // of a deadline; a later one is none

// ---- Life -----------------------------------------------------------------------

static size_t most_of(const struct sp_exchange *exchange,
                      const struct sp_grpc_method *method)
{
    const size_t most = (size_t)sp_serve_loop_config(exchange->loop)->max_message;
    const bool less = method->most_bytes > 0 && method->most_bytes < most;
    return less ? method->most_bytes : most;
}

struct sp_grpc_call *sp_grpc_call_new(struct sp_exchange *exchange,
                                      const struct sp_grpc_method *method)
{
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    struct sp_grpc_call *call = loop == NULL ? NULL : loop->spare;
    if (call != NULL) {
        loop->spare = NULL;
    } else if (loop != NULL) {
        call = sp_alloc(sizeof *call);
    }
    if (call != NULL) {
        call->loop = loop;
        call->exchange = exchange;
        call->method = method;
        call->begun_ns = sp_clock_now();
        call->reader.most = most_of(exchange, method);
        call->reader.budget = exchange->loop->budget;
    }
    return call;
}

// What has come of it, but for so many bytes of room for a message.
static void forget(struct sp_grpc_call *call, size_t kept)
{
    struct sp_budget *budget = call->reader.budget;
    sp_early_tensor_free(call->early);
    call->early = NULL;
    sp_counted_forget(&call->reader.message, budget, kept);
    sp_counted_forget(&call->plain, budget, 0);
    sp_counted_forget(&call->unread, budget, 0);
}

void sp_grpc_call_drop(struct sp_grpc_call *call)
{
    if (call != NULL) {
        forget(call, 0);
        sp_scratch_fini(&call->scratch);
        snakepit_writer_free(call->writer);
        sp_free(call);
    }
}

// Most calls are handed over before the next one comes, so one of each loop is used
// again, with the room for its message and what is read of it.
static void keep(struct sp_grpc_call *call)
{
    forget(call, KEPT);
    const struct sp_counted message = call->reader.message;
    struct sp_scratch scratch = call->scratch;
    snakepit_writer *writer = call->writer;
    sp_scratch_reset(&scratch);
    if (writer != NULL && writer->buf.capacity > KEPT) {
        snakepit_writer_free(writer);
        writer = NULL;
    }
    snakepit_writer_reset(writer);
    call->loop->spare = call;
    call->loop->drop_spare = sp_grpc_call_drop;
    *call = (struct sp_grpc_call){
        .reader = {.message = message}, .scratch = scratch, .writer = writer};
}

static void stop_deadline(struct sp_grpc_call *call)
{
    sp_task_cancel(&call->late);
    sp_timer_stop(&call->deadline);
}

static void let_go(struct sp_grpc_call *call)
{
    call->holder = NULL;
    stop_deadline(call);
    sp_list_remove(&call->link);
}

void sp_grpc_call_free(struct sp_grpc_call *call)
{
    if (call == NULL) {
        return;
    }
    const struct sp_grpc_holder *holder = call->holder;
    stop_deadline(call);
    sp_grpc_unpack_no_more(call);
    if (holder != NULL) {
        let_go(call);
        if (holder->over != NULL) {
            holder->over(call);
        }
    }
    if (call->loop->spare == NULL && call->reader.message.bytes.capacity <= KEPT) {
        keep(call);
    } else {
        sp_grpc_call_drop(call);
    }
}

static void refuse(struct sp_grpc_call *call, enum sp_grpc_code code, const char *why)
{
    sp_grpc_refuse(call->exchange, code, why);
    sp_grpc_call_free(call);
}

// ---- Of one message ---------------------------------------------------------------

// False: the call was refused.
static bool feed(struct sp_grpc_call *call, struct sp_slice bytes)
{
    enum sp_grpc_code code = SP_GRPC_OK;
    enum sp_grpc_read read = SP_GRPC_READ_MORE;
    while (bytes.size > 0) {
        if (call->there) {
            refuse(call, SP_GRPC_UNIMPLEMENTED, "the method takes one message");
            return false;
        }
        read = sp_grpc_reader_take(&call->reader, &bytes);
        if (read > SP_GRPC_READ_MESSAGE) {
            const char *why = sp_grpc_explain_read(call, read, &code);
            refuse(call, code, why);
            return false;
        }
        if (read == SP_GRPC_READ_HEAD) {
            call->early = sp_early_tensor_begin(
                call->tensors, call->exchange, call->method->access, &call->reader);
        }
        call->there = read == SP_GRPC_READ_MESSAGE;
    }
    if (!call->there && !sp_grpc_keeps_pace(call)) {
        refuse(call, SP_GRPC_RESOURCE_EXHAUSTED, SP_GRPC_TOO_SLOW);
        return false;
    }
    return true;
}

// Calls the handler, which has the exchange from now on. False: the call is no more. A
// token may have been revoked since its headers came.
static bool
hand_over(struct sp_grpc_call *call, sp_grpc_fn *handler, struct sp_slice message)
{
    if (!sp_api_admit_client(call->exchange, call->method->access)) {
        sp_grpc_call_free(call);
        return false;
    }
    stop_deadline(call); // whoever has it from now on sees to that
    call->busy = true;
    call->exchange->listener = NULL;
    handler(call, message);
    call->busy = false;
    const bool held = call->holder != NULL && !call->over;
    if (!held) {
        sp_grpc_call_free(call);
    }
    return held;
}

static void
hand_over_message(struct sp_grpc_call *call, enum sp_grpc_code code, const char *why)
{
    const struct sp_counted *from =
        call->reader.compressed ? &call->plain : &call->reader.message;
    if (code != SP_GRPC_OK) {
        refuse(call, code, why);
        return;
    }
    call->complete = true;
    (void)hand_over(call,
                    call->method->handler,
                    (struct sp_slice){from->bytes.data, from->bytes.size});
}

static void handle_one(struct sp_grpc_call *call)
{
    struct sp_slice message;
    const char *why = NULL;
    if (sp_grpc_reader_is_amid(&call->reader)) {
        refuse(call, SP_GRPC_INTERNAL, "the body ends within a message");
        return;
    }
    if (!call->there) {
        refuse(
            call, SP_GRPC_UNIMPLEMENTED, "the method takes a message, and none came");
        return;
    }
    const enum sp_grpc_code code =
        sp_grpc_unpack(call, hand_over_message, &message, &why);
    if (call->unpacking == NULL) {
        hand_over_message(call, code, why);
    }
}

static void on_received(void *user, struct sp_slice bytes)
{
    struct sp_grpc_call *call = user;
    if (feed(call, bytes)) {
        sp_exchange_taken(call->exchange, bytes.size);
    }
}

static void on_complete(void *user)
{
    handle_one(user);
}

static void on_gone(void *user)
{
    sp_grpc_call_free(user);
}

static const struct sp_exchange_listener listener = {
    .gone = on_gone, .received = on_received, .complete = on_complete};

// ---- Held -----------------------------------------------------------------------

void sp_grpc_finish(struct sp_grpc_call *call,
                    enum sp_grpc_code code,
                    const char *message)
{
    if (call->over) {
        return;
    }
    call->over = true;
    if (call->begun) {
        sp_grpc_end(call->exchange, code, message);
    } else if (code == SP_GRPC_OK) {
        sp_grpc_begin(call->exchange, NULL);
        sp_grpc_end(call->exchange, code, message);
    } else {
        sp_grpc_refuse(call->exchange, code, message);
    }
    if (!call->busy) {
        sp_grpc_call_free(call);
    }
}

static void on_deadline(struct sp_timer *timer)
{
    sp_grpc_finish(timer->user, SP_GRPC_DEADLINE_EXCEEDED, "the call's time ran out");
}

uint64_t sp_grpc_ends_ns(const struct sp_grpc_call *call)
{
    const bool ends = call->limited && call->timeout_ms <= LONGEST_WAIT_MS;
    return ends ? call->begun_ns + call->timeout_ms * SP_NS_PER_MS : 0;
}

static void start_deadline(struct sp_grpc_call *call)
{
    const uint64_t ends = sp_grpc_ends_ns(call);
    const uint64_t now = sp_clock_now();
    if (ends != 0) {
        const uint64_t left = ends > now ? (ends - now) / SP_NS_PER_MS : 0;
        call->deadline.user = call;
        sp_timer_start(
            &call->exchange->loop->loop, &call->deadline, on_deadline, left, 0);
    }
}

static void on_late(struct sp_task *task)
{
    start_deadline(task->user);
}

void sp_grpc_finish_with(struct sp_grpc_call *call,
                         struct sp_grpc_status *status,
                         struct sp_grpc_metadata metadata)
{
    SP_CHECK(call->begun && !call->over);
    call->over = true;
    sp_grpc_end_with(call->exchange, status, metadata);
    if (!call->busy) {
        sp_grpc_call_free(call);
    }
}

void sp_grpc_open_with(struct sp_grpc_call *call, struct sp_grpc_metadata metadata)
{
    if (!call->begun && !call->over) {
        call->begun = true;
        sp_grpc_begin_with(call->exchange, metadata);
    }
}

void sp_grpc_open(struct sp_grpc_call *call)
{
    const struct sp_grpc_metadata none = {NULL, 0};
    sp_grpc_open_with(call, none);
}

bool sp_grpc_send(struct sp_grpc_call *call, struct sp_slice message)
{
    sp_grpc_open(call);
    if (call->over || sp_exchange_send(call->exchange, message) == SNAKEPIT_OK) {
        return !call->over;
    }
    call->over = true;
    sp_exchange_fail(call->exchange);
    if (!call->busy) {
        sp_grpc_call_free(call);
    }
    return false;
}

// Runs a function that may end the call. False: it has.
static bool tell(struct sp_grpc_call *call, void (*function)(struct sp_grpc_call *))
{
    call->busy = true;
    function(call);
    call->busy = false;
    const bool over = call->over;
    if (over) {
        sp_grpc_call_free(call);
    }
    return !over;
}

static void look(struct sp_timer *timer)
{
    struct sp_api_loop *loop = timer->user;
    struct sp_link *link = loop->held.next;
    if (sp_list_empty(&loop->held)) {
        sp_timer_stop(timer);
    }
    while (link != &loop->held) {
        struct sp_grpc_call *call = SP_ENTRY(link, struct sp_grpc_call, link);
        const bool draining = sp_serve_loop_draining(call->exchange->loop);
        link = link->next;
        const bool there = call->holder->look == NULL || tell(call, call->holder->look);
        if (there && draining && !call->holder->stays) {
            sp_grpc_finish(call, SP_GRPC_UNAVAILABLE, "the daemon drains");
        } else if (there && !sp_grpc_keeps_pace(call)) {
            sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, SP_GRPC_TOO_SLOW);
        }
    }
}

// ---- Messages both ways -----------------------------------------------------------

static void read_messages(struct sp_grpc_call *call);

static void deliver(struct sp_grpc_call *call, struct sp_slice message)
{
    if (call->holder->message != NULL) {
        call->holder->message(call, message);
    }
}

static void deliver_unpacked(struct sp_grpc_call *call)
{
    deliver(call, (struct sp_slice){call->plain.bytes.data, call->plain.bytes.size});
    if (!call->over) {
        read_messages(call);
    }
}

static void
on_unpacked(struct sp_grpc_call *call, enum sp_grpc_code code, const char *why)
{
    if (code != SP_GRPC_OK) {
        sp_grpc_finish(call, code, why);
    } else {
        (void)tell(call, deliver_unpacked);
    }
}

// Reads one step of what has come. False: there is nothing to read, or the call is
// over.
static bool read_step(struct sp_grpc_call *call, struct sp_slice *left)
{
    struct sp_slice message = {NULL, 0};
    const char *why = NULL;
    enum sp_grpc_code code = SP_GRPC_OK;
    const enum sp_grpc_read read = sp_grpc_reader_take(&call->reader, left);
    if (read == SP_GRPC_READ_MORE) {
        return false;
    }
    if (read == SP_GRPC_READ_MESSAGE) {
        code = sp_grpc_unpack(call, on_unpacked, &message, &why);
    } else {
        why = sp_grpc_explain_read(call, read, &code);
    }
    if (code != SP_GRPC_OK) {
        sp_grpc_finish(call, code, why);
    } else if (call->unpacking == NULL) {
        deliver(call, message);
    }
    return !call->over && call->unpacking == NULL;
}

static void end_reading(struct sp_grpc_call *call)
{
    if (sp_grpc_reader_is_amid(&call->reader)) {
        sp_grpc_finish(call, SP_GRPC_INTERNAL, "the body ends within a message");
    } else if (call->holder->complete != NULL) {
        call->holder->complete(call);
    } else {
        sp_grpc_finish(call, SP_GRPC_OK, NULL);
    }
}

static void read_messages(struct sp_grpc_call *call)
{
    if (call->unpacking != NULL) {
        return; // the next one has its turn after it
    }
    struct sp_slice left = {call->unread.bytes.data, call->unread.bytes.size};
    bool more = left.size > 0;
    while (more && sp_exchange_room(call->exchange) > 0) {
        more = read_step(call, &left) && left.size > 0;
    }
    if (call->over) {
        return;
    }
    const size_t taken = call->unread.bytes.size - left.size;
    if (left.size > 0 && taken > 0) {
        memmove(call->unread.bytes.data, left.data, left.size);
    }
    call->unread.bytes.size = left.size;
    if (taken > 0) {
        sp_exchange_taken(call->exchange, taken);
    }
    if (!sp_grpc_keeps_pace(call)) {
        sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, SP_GRPC_TOO_SLOW);
    } else if (call->complete && left.size == 0 && call->unpacking == NULL) {
        end_reading(call);
    }
}

static void on_held_received(void *user, struct sp_slice bytes)
{
    struct sp_grpc_call *call = user;
    snakepit_err err = sp_buf_append(&call->unread.bytes, bytes.data, bytes.size);
    err = err == SNAKEPIT_OK ? sp_counted_settle(&call->unread, call->reader.budget)
                             : err;
    if (err != SNAKEPIT_OK) {
        enum sp_grpc_code code = SP_GRPC_OK;
        const char *why = sp_grpc_explain_bytes(call, err, &code);
        sp_grpc_finish(call, code, why);
        return;
    }
    (void)tell(call, read_messages);
}

static void on_held_complete(void *user)
{
    struct sp_grpc_call *call = user;
    call->complete = true;
    (void)tell(call, read_messages);
}

static void on_held_writable(void *user)
{
    struct sp_grpc_call *call = user;
    if (call->method->kind == SP_GRPC_DUPLEX) {
        (void)tell(call, read_messages);
    }
}

static const struct sp_exchange_listener held = {.gone = on_gone,
                                                 .writable = on_held_writable,
                                                 .received = on_held_received,
                                                 .complete = on_held_complete};

void sp_grpc_hold(struct sp_grpc_call *call, const struct sp_grpc_holder *holder)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_api_loop *loop = call->loop;
    call->holder = holder;
    sp_list_append(&loop->held, &call->link);
    if (!sp_timer_runs(&loop->looks)) {
        loop->looks.user = loop;
        sp_timer_start(&exchange->loop->loop, &loop->looks, look, LOOK_MS, LOOK_MS);
    }
    start_deadline(call);
    exchange->user = call;
    exchange->listener = &held;
}

struct sp_early_tensor *sp_grpc_take_message(struct sp_grpc_call *call,
                                             struct sp_buf *bytes)
{
    struct sp_early_tensor *early = call->early;
    struct sp_buf *from =
        call->reader.compressed ? &call->plain.bytes : &call->reader.message.bytes;
    *bytes = *from;
    *from = (struct sp_buf){.data = NULL};
    call->early = NULL;
    return early;
}

void sp_grpc_resume(struct sp_grpc_call *call, sp_grpc_fn *handler)
{
    const struct sp_slice none = {NULL, 0};
    let_go(call);
    if (call->busy) { // its handler has not returned, and who called that goes on
        call->exchange->listener = NULL;
        handler(call, none);
    } else {
        (void)hand_over(call, handler, none);
    }
}

// ---- Its beginning --------------------------------------------------------------

static void begin_both_ways(struct sp_grpc_call *call)
{
    const struct sp_request *request = &call->exchange->request;
    if (hand_over(call, call->method->handler, (struct sp_slice){NULL, 0}) &&
        !request->streaming) {
        on_held_complete(call); // it has no body at all
    }
}

void sp_grpc_call_begin(struct sp_grpc_call *call)
{
    struct sp_exchange *exchange = call->exchange;
    if (call->method->kind == SP_GRPC_DUPLEX) {
        begin_both_ways(call);
    } else if (exchange->request.streaming) {
        exchange->user = call;
        exchange->listener = &listener;
        if (call->limited) { // and its message is not there when all was read that is
            call->late.user = call;
            sp_loop_later(&exchange->loop->loop, &call->late, on_late);
        }
    } else if (feed(call, exchange->request.body)) {
        handle_one(call);
    }
}
