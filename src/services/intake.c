// SPDX-License-Identifier: MIT
#include "services/intake.h"

#include "api/large.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/memory.h"
#include "config/config.h"
#include "server/budget.h"
#include "server/offload.h"
#include "server/server.h"
#include "services/call.h"

const char *sp_grpc_explain_read(const struct sp_grpc_call *call,
                                 enum sp_grpc_read read,
                                 enum sp_grpc_code *code)
{
    switch (read) {
    case SP_GRPC_READ_TOO_LARGE:
        *code = SP_GRPC_RESOURCE_EXHAUSTED;
        return call->method->most_bytes > 0
                   ? "the message is larger than 4 KiB, the most that this method takes"
                   : "the message is larger than `serve: max_message` allows";
    case SP_GRPC_READ_BAD_FLAG:
        *code = SP_GRPC_INTERNAL;
        return "the body is not one of gRPC: a message begins with neither 0 nor 1";
    case SP_GRPC_READ_SPENT:
        sp_budget_tell(call->reader.budget,
                       sp_serve_loop_log(call->exchange->loop),
                       sp_clock_now());
        *code = SP_GRPC_UNAVAILABLE;
        return "the bodies of all requests take `serve: max_memory` already";
    default:
        *code = SP_GRPC_RESOURCE_EXHAUSTED;
        return "there is no memory for the message";
    }
}

const char *sp_grpc_explain_bytes(const struct sp_grpc_call *call,
                                  snakepit_err err,
                                  enum sp_grpc_code *code)
{
    switch (err) {
    case SNAKEPIT_OK:
        *code = SP_GRPC_OK;
        return NULL;
    case SNAKEPIT_QUOTA_EXCEEDED:
        return sp_grpc_explain_read(call, SP_GRPC_READ_TOO_LARGE, code);
    case SNAKEPIT_NO_MEMORY:
        return sp_grpc_explain_read(call, SP_GRPC_READ_NO_MEMORY, code);
    case SNAKEPIT_AGAIN:
        return sp_grpc_explain_read(call, SP_GRPC_READ_SPENT, code);
    default:
        *code = SP_GRPC_INTERNAL;
        return "the message is not valid gzip";
    }
}

// ---- What is large ----------------------------------------------------------------

// A message that a thread of the server unpacks. Owner: that thread, until it is done;
// `call` is the loop's.
struct sp_grpc_unpacking {
    struct sp_task begin; // it has not begun
    struct sp_offload_work work;
    struct sp_grpc_call *call; // NULL: nobody waits any more
    sp_grpc_unpacked_fn *then;
    struct sp_budget *budget;
    size_t most;
    struct sp_counted packed;
    struct sp_counted plain;
    snakepit_err err;
};

static struct sp_slice bytes_of(const struct sp_counted *counted)
{
    return (struct sp_slice){counted->bytes.data, counted->bytes.size};
}

static void free_unpacking(struct sp_grpc_unpacking *unpacking)
{
    sp_counted_forget(&unpacking->packed, unpacking->budget, 0);
    sp_counted_forget(&unpacking->plain, unpacking->budget, 0);
    sp_free(unpacking);
}

static void run(struct sp_offload_work *work)
{
    struct sp_grpc_unpacking *unpacking =
        SP_ENTRY(work, struct sp_grpc_unpacking, work);
    unpacking->err = sp_grpc_gunzip(bytes_of(&unpacking->packed),
                                    unpacking->most,
                                    unpacking->budget,
                                    &unpacking->plain);
}

static void done(struct sp_offload_work *work)
{
    struct sp_grpc_unpacking *unpacking =
        SP_ENTRY(work, struct sp_grpc_unpacking, work);
    struct sp_grpc_call *call = unpacking->call;
    sp_grpc_unpacked_fn *then = unpacking->then;
    enum sp_grpc_code code = SP_GRPC_OK;
    const char *why = NULL;
    if (call != NULL) {
        call->unpacking = NULL;
        call->plain = unpacking->plain;
        unpacking->plain = (struct sp_counted){.counted = 0};
        why = sp_grpc_explain_bytes(call, unpacking->err, &code);
    }
    free_unpacking(unpacking);
    if (call != NULL) {
        then(call, code, why);
    }
}

static void begin(struct sp_task *task)
{
    struct sp_grpc_unpacking *unpacking = task->user;
    sp_offload_do(unpacking->call->exchange->loop, &unpacking->work);
}

static snakepit_err unpack_beside(struct sp_grpc_call *call, sp_grpc_unpacked_fn *then)
{
    struct sp_grpc_reader *reader = &call->reader;
    struct sp_grpc_unpacking *unpacking = sp_alloc(sizeof *unpacking);
    sp_counted_forget(&call->plain, reader->budget, 0);
    if (unpacking == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    unpacking->begin.user = unpacking;
    unpacking->work.run = run;
    unpacking->work.done = done;
    unpacking->call = call;
    unpacking->then = then;
    unpacking->budget = reader->budget;
    unpacking->most = reader->most;
    unpacking->packed = reader->message;
    reader->message = (struct sp_counted){.counted = 0};
    call->unpacking = unpacking;
    sp_loop_later(&call->exchange->loop->loop, &unpacking->begin, begin);
    return SNAKEPIT_OK;
}

void sp_grpc_unpack_no_more(struct sp_grpc_call *call)
{
    struct sp_grpc_unpacking *unpacking = call->unpacking;
    if (unpacking == NULL) {
        return;
    }
    call->unpacking = NULL;
    unpacking->call = NULL;
    if (sp_task_waits(&unpacking->begin)) {
        sp_task_cancel(&unpacking->begin);
        free_unpacking(unpacking);
    }
}

// ---- Unpacking --------------------------------------------------------------------

enum sp_grpc_code sp_grpc_unpack(struct sp_grpc_call *call,
                                 sp_grpc_unpacked_fn *then,
                                 struct sp_slice *message,
                                 const char **why)
{
    struct sp_grpc_reader *reader = &call->reader;
    enum sp_grpc_code code = SP_GRPC_OK;
    *message = bytes_of(&reader->message);
    if (!reader->compressed) {
        return SP_GRPC_OK;
    }
    if (!call->gzip) {
        *why = "the message says that it is compressed, and grpc-encoding does not say "
               "how";
        return SP_GRPC_INTERNAL;
    }
    const size_t most = reader->most < SP_API_LARGE ? reader->most : SP_API_LARGE;
    snakepit_err err = sp_grpc_gunzip(*message, most, reader->budget, &call->plain);
    if (err == SNAKEPIT_QUOTA_EXCEEDED && most < reader->most) {
        err = unpack_beside(call, then);
    }
    *message = bytes_of(&call->plain);
    *why = sp_grpc_explain_bytes(call, err, &code);
    return code;
}

// ---- Pace -------------------------------------------------------------------------

bool sp_grpc_keeps_pace(struct sp_grpc_call *call)
{
    const struct sp_serve_config *config = sp_serve_loop_config(call->exchange->loop);
    if (!sp_grpc_reader_is_amid(&call->reader) || call->unread.bytes.size > 0) {
        call->since_ns = 0;
        return true;
    }
    const uint64_t now = sp_clock_now();
    call->since_ns = call->since_ns == 0 ? now : call->since_ns;
    return sp_budget_keeps_pace(now - call->since_ns,
                                call->reader.message.bytes.size +
                                    call->reader.aside.taken,
                                config->body_timeout_ms,
                                config->body_min_rate);
}
