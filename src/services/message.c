// SPDX-License-Identifier: MIT
#include "services/message.h"

#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "config/config.h"
#include "grpc/frame.h"
#include "grpc/reply.h"
#include "server/server.h"

#define KEPT 4096u // bytes of room for an answer

// ---- Requests -------------------------------------------------------------------

bool sp_grpc_decode(struct sp_exchange *exchange,
                    const struct sp_proto_type *type,
                    struct sp_slice bytes,
                    struct sp_scratch *scratch,
                    void *message)
{
    snakepit_message why = {{0}};
    // What a message becomes is not to be much larger than messages may be.
    scratch->limit = (size_t)sp_serve_loop_config(exchange->loop)->max_message;
    snakepit_err err = sp_proto_decode(type, bytes, scratch, message, &why);
    return sp_grpc_is_read(exchange, err, err == SNAKEPIT_MALFORMED, &why);
}

bool sp_grpc_is_read(struct sp_exchange *exchange,
                     snakepit_err err,
                     bool malformed,
                     const snakepit_message *why)
{
    if (malformed) {
        sp_grpc_refuse(exchange, SP_GRPC_INTERNAL, why->text);
    } else if (err != SNAKEPIT_OK) {
        sp_api_fail(exchange, err, why->text);
    }
    return err == SNAKEPIT_OK;
}

bool sp_grpc_text(struct sp_exchange *exchange,
                  struct sp_slice text,
                  const char *what,
                  char room[SP_PARAM_SIZE])
{
    char sentence[128];
    if (text.size >= SP_PARAM_SIZE ||
        (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
        (void)snprintf(sentence,
                       sizeof sentence,
                       "%s is longer than 255 bytes, or has a zero in it",
                       what);
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, sentence);
        return false;
    }
    if (text.size > 0) {
        memcpy(room, text.data, text.size);
    }
    room[text.size] = '\0';
    return true;
}

bool sp_grpc_pool(const struct sp_grpc_call *call,
                  struct sp_slice text,
                  char room[SP_PARAM_SIZE])
{
    struct sp_exchange *exchange = call->exchange;
    const struct sp_slice unnamed = sp_slice_of_text("default");
    return sp_grpc_text(exchange, text.size == 0 ? unnamed : text, "pool", room) &&
           sp_api_admit_to_pool(exchange, call->method->access, room);
}

void sp_grpc_take_deadline(const struct sp_grpc_call *call, struct sp_api_ask *ask)
{
    ask->options.begun_ns = call->begun_ns;
    ask->ends_ns = sp_grpc_ends_ns(call);
    if (call->limited) {
        ask->options.timeout_ms =
            (uint32_t)(call->timeout_ms < SP_API_TIMEOUT_MOST ? call->timeout_ms
                                                              : SP_API_TIMEOUT_MOST);
    }
}

// ---- Answers --------------------------------------------------------------------

// The message with its prefix before it.
static snakepit_err
frame(const struct sp_proto_type *type, const void *message, struct sp_proto_out *out)
{
    size_t at = 0;
    snakepit_err err = sp_grpc_frame_begin(&out->bytes, &at);
    err = err == SNAKEPIT_OK ? sp_proto_encode(type, message, out) : err;
    if (err == SNAKEPIT_OK) {
        err = sp_grpc_frame_set(out->bytes.data,
                                sp_proto_out_size(out) - SP_GRPC_PREFIX_SIZE);
    }
    return err;
}

static snakepit_err send_parts(struct sp_exchange *exchange,
                               const struct sp_proto_out *out)
{
    struct sp_slice part;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && sp_proto_out_part(out, i, &part); i++) {
        err = sp_exchange_send(exchange, part);
    }
    return err;
}

static void answer_with(struct sp_exchange *exchange, const struct sp_proto_out *out)
{
    if (out->foreign_bytes == 0) {
        sp_grpc_reply(exchange, (struct sp_slice){out->bytes.data, out->bytes.size});
        return;
    }
    if (!sp_grpc_may_answer(exchange, sp_proto_out_size(out))) {
        return;
    }
    sp_grpc_begin(exchange, NULL);
    if (send_parts(exchange, out) == SNAKEPIT_OK) {
        sp_grpc_end(exchange, SP_GRPC_OK, NULL);
    } else {
        sp_exchange_fail(exchange);
    }
}

void sp_grpc_answer(struct sp_exchange *exchange,
                    const struct sp_proto_type *type,
                    const void *message)
{
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    struct sp_proto_out out = {.foreign_bytes = 0};
    if (loop != NULL) {
        out.bytes = loop->reply;
        loop->reply = (struct sp_buf){.data = NULL};
    }
    snakepit_err err = frame(type, message, &out);
    if (err == SNAKEPIT_OK) {
        answer_with(exchange, &out);
    } else {
        sp_api_fail(exchange, err, "the answer does not fit into memory");
    }
    if (loop != NULL && out.bytes.capacity <= KEPT) {
        loop->reply = out.bytes;
        loop->reply.size = 0;
        out.bytes = (struct sp_buf){.data = NULL};
    }
    sp_proto_out_fini(&out);
}

snakepit_err sp_grpc_append(struct sp_buf *out,
                            const struct sp_proto_type *type,
                            const void *message)
{
    size_t at = 0;
    const size_t before = out->size;
    snakepit_err err = sp_grpc_frame_begin(out, &at);
    err = err == SNAKEPIT_OK ? sp_proto_encode_flat(type, message, out) : err;
    if (err == SNAKEPIT_OK) {
        err = sp_grpc_frame_end(out, at);
    }
    if (err != SNAKEPIT_OK) {
        out->size = before;
    }
    return err;
}
