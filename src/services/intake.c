// SPDX-License-Identifier: MIT
#include "services/intake.h"

#include "base/clock.h"
#include "config/config.h"
#include "server/budget.h"
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

enum sp_grpc_code
sp_grpc_unpack(struct sp_grpc_call *call, struct sp_slice *message, const char **why)
{
    struct sp_grpc_reader *reader = &call->reader;
    enum sp_grpc_code code = SP_GRPC_OK;
    *message =
        (struct sp_slice){reader->message.bytes.data, reader->message.bytes.size};
    if (!reader->compressed) {
        return SP_GRPC_OK;
    }
    if (!call->gzip) {
        *why = "the message says that it is compressed, and grpc-encoding does not say "
               "how";
        return SP_GRPC_INTERNAL;
    }
    call->plain.bytes.size = 0;
    snakepit_err err = sp_grpc_gunzip(*message, reader->most, &call->plain.bytes);
    err = err == SNAKEPIT_OK ? sp_counted_settle(&call->plain, reader->budget) : err;
    *message = (struct sp_slice){call->plain.bytes.data, call->plain.bytes.size};
    *why = sp_grpc_explain_bytes(call, err, &code);
    return code;
}

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
                                call->reader.message.bytes.size,
                                config->body_timeout_ms,
                                config->body_min_rate);
}
