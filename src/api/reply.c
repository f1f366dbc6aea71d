// SPDX-License-Identifier: MIT
#include "api/reply.h"

#include <stdio.h>
#include <string.h>

#include "api/large.h"
#include "api/router.h"
#include "config/config.h"
#include "grpc/frame.h"
#include "grpc/reply.h"
#include "http/body.h"
#include "http/problem.h"
#include "http/screen.h"
#include "payload/pairs.h"
#include "payload/writer.h"
#include "server/server.h"

#define FIELDS_MOST 10u

// The fields of one answer.
struct fields {
    struct sp_field of[FIELDS_MOST];
    size_t count;
    char retry_after[16];
};

static void add(struct fields *fields, const char *name, struct sp_slice value)
{
    fields->of[fields->count++] = (struct sp_field){sp_slice_of_text(name), value};
}

static void add_text(struct fields *fields, const char *name, const char *value)
{
    if (value != NULL) {
        add(fields, name, sp_slice_of_text(value));
    }
}

// A page that is named may read the answer, and these of its fields.
static void add_origin(struct fields *fields, const struct sp_exchange *exchange)
{
    const struct sp_slice origin = sp_request_field(&exchange->request, "origin");
    if (origin.data != NULL && sp_origin_is_named(origin, sp_api_origins(exchange))) {
        add(fields, "access-control-allow-origin", origin);
        add_text(fields, "vary", "Origin");
        add_text(fields,
                 "access-control-expose-headers",
                 "Snakepit-Call-Id, Retry-After, Mcp-Session-Id, "
                 "Inference-Header-Content-Length");
    }
}

static struct sp_reply make_reply(const struct sp_exchange *exchange,
                                  const struct sp_api_answer *answer,
                                  struct fields *fields)
{
    add_text(fields, "snakepit-call-id", answer->call);
    add_text(fields, "mcp-session-id", answer->mcp_session);
    add_text(fields, "inference-header-content-length", answer->inference_head);
    add_text(fields, "allow", answer->allow);
    add_text(fields, "www-authenticate", answer->challenge);
    add_origin(fields, exchange);
    // The answer to a POST is not kept by anybody anyway.
    if (exchange->request.method != SP_METHOD_POST || answer->status >= 400) {
        add_text(fields, "cache-control", "no-store");
    }
    return (struct sp_reply){.status = answer->status,
                             .type = answer->type,
                             .fields = fields->of,
                             .field_count = fields->count};
}

void sp_api_reply(struct sp_exchange *exchange, const struct sp_api_answer *answer)
{
    struct fields fields = {.count = 0};
    if (!sp_serve_loop_may_answer(exchange->loop, answer->body.size)) {
        sp_api_refuse(exchange, 507, SP_NO_ROOM_FOR_ANSWER);
        return;
    }
    const struct sp_reply reply = make_reply(exchange, answer, &fields);
    sp_exchange_reply(exchange, &reply, answer->body);
}

void sp_api_begin(struct sp_exchange *exchange, const struct sp_api_answer *answer)
{
    struct fields fields = {.count = 0};
    const struct sp_reply reply = make_reply(exchange, answer, &fields);
    sp_exchange_begin(exchange, &reply);
}

// Without a body.
static void reply_status(struct sp_exchange *exchange, unsigned status)
{
    static const uint8_t empty[SP_GRPC_PREFIX_SIZE];
    if (exchange->request.grpc) {
        sp_grpc_reply(exchange, (struct sp_slice){empty, sizeof empty});
    } else {
        sp_api_reply(exchange, &(const struct sp_api_answer){.status = status});
    }
}

void sp_api_accepted(struct sp_exchange *exchange)
{
    reply_status(exchange, 202);
}

void sp_api_done(struct sp_exchange *exchange)
{
    reply_status(exchange, 204);
}

// ---- Problems -------------------------------------------------------------------

// Whether it is asked in the Open Inference Protocol, whose errors look otherwise.
static bool is_inference(const struct sp_exchange *exchange)
{
    static const char root[] = "/v2";
    const struct sp_slice path = exchange->request.path;
    const size_t size = sizeof root - 1;
    return path.size >= size && memcmp(path.data, root, size) == 0 &&
           (path.size == size || path.data[size] == '/');
}

// {"error": "ValueError: what was wrong"}
static void write_error(struct sp_buf *document, const char *type, const char *message)
{
    snakepit_writer *writer = snakepit_writer_new();
    struct sp_buf text = {0};
    (void)sp_buf_printf(&text, "%s%s%s", type, type[0] == '\0' ? "" : ": ", message);
    snakepit_writer_map(writer, 1);
    sp_pair_text(
        writer, "error", text.data == NULL ? message : (const char *)text.data);
    (void)sp_writer_to_json(writer, document);
    snakepit_writer_free(writer);
    sp_buf_fini(&text);
}

// Answers with a problem document, if there was memory for it.
static void reply_problem(struct sp_exchange *exchange,
                          struct sp_api_answer *answer,
                          struct fields *fields,
                          struct sp_buf *document)
{
    if (document->size > 0) {
        answer->type = is_inference(exchange) ? "application/json" : SP_PROBLEM_TYPE;
        answer->body = (struct sp_slice){document->data, document->size};
    }
    const struct sp_reply reply = make_reply(exchange, answer, fields);
    sp_exchange_reply(exchange, &reply, answer->body);
    sp_buf_fini(document);
}

static void write_fault(struct sp_buf *document, const snakepit_fault *fault)
{
    const bool said = fault->message != NULL && fault->message[0] != '\0';
    write_error(document,
                fault->type == NULL ? "" : fault->type,
                said ? fault->message : snakepit_err_text(fault->err));
}

void sp_api_fault(struct sp_exchange *exchange,
                  const snakepit_fault *fault,
                  uint32_t retry_after_ms,
                  const char *call)
{
    struct sp_buf document = {0};
    struct fields fields = {.count = 0};
    struct sp_api_answer answer = {.status = sp_http_status(fault->err), .call = call};
    if (exchange->request.grpc) {
        sp_grpc_refuse_call(exchange, fault, retry_after_ms, call);
        return;
    }
    if (exchange->tell_fault != NULL) {
        exchange->tell_fault(exchange, fault);
        return;
    }
    const unsigned seconds = sp_retry_after(fault->err, retry_after_ms);
    if (seconds > 0) {
        (void)snprintf(fields.retry_after, sizeof fields.retry_after, "%u", seconds);
        add_text(&fields, "retry-after", fields.retry_after);
    }
    if (is_inference(exchange)) {
        write_fault(&document, fault);
    } else {
        (void)sp_problem_of_fault(&document, fault, sp_api_shows_tracebacks(exchange));
    }
    reply_problem(exchange, &answer, &fields, &document);
}

void sp_api_fail(struct sp_exchange *exchange, snakepit_err err, const char *message)
{
    const snakepit_fault fault = sp_fault_of(err, message);
    sp_api_fault(exchange, &fault, 0, NULL);
}

static void
refuse(struct sp_exchange *exchange, struct sp_api_answer *answer, const char *detail)
{
    struct sp_buf document = {0};
    struct fields fields = {.count = 0};
    if (exchange->request.grpc) {
        sp_grpc_refuse(exchange, sp_grpc_code_of_http(answer->status), detail);
        return;
    }
    if (is_inference(exchange)) {
        write_error(&document, "", detail);
    } else {
        (void)sp_problem_of_status(&document, answer->status, detail);
    }
    reply_problem(exchange, answer, &fields, &document);
}

void sp_api_refuse(struct sp_exchange *exchange, unsigned status, const char *detail)
{
    struct sp_api_answer answer = {.status = status};
    refuse(exchange, &answer, detail);
}

void sp_api_refuse_access(struct sp_exchange *exchange,
                          unsigned status,
                          const char *challenge,
                          const char *detail)
{
    struct sp_api_answer answer = {.status = status, .challenge = challenge};
    refuse(exchange, &answer, detail);
}

void sp_api_refuse_method(struct sp_exchange *exchange)
{
    char allow[SP_ALLOW_SIZE];
    char detail[128];
    struct sp_api_answer answer = {
        .status = 405, .allow = sp_route_allowed(exchange->request.path, allow)};
    (void)snprintf(detail, sizeof detail, "this path takes %s", allow);
    refuse(exchange, &answer, detail);
}

// ---- Values ---------------------------------------------------------------------

enum sp_media sp_api_choose(struct sp_exchange *exchange, unsigned offered)
{
    const enum sp_media media =
        sp_media_accepted(&exchange->request, offered, SP_MEDIA_JSON);
    if (media == SP_MEDIA_NONE) {
        sp_api_refuse(exchange,
                      406,
                      (offered & SP_MEDIA_EVENTS) != 0
                          ? "Accept names none of application/json, "
                            "application/msgpack and text/event-stream"
                          : "Accept names neither application/json nor "
                            "application/msgpack");
    }
    return media;
}

static void reply_json(struct sp_exchange *exchange,
                       const char *text,
                       size_t size,
                       const char *call)
{
    const struct sp_api_answer answer = {.status = 200,
                                         .type = "application/json",
                                         .body = {(const uint8_t *)text, size},
                                         .call = call};
    sp_api_reply(exchange, &answer);
}

static void reply_msgpack(struct sp_exchange *exchange,
                          const snakepit_reader *value,
                          const char *call)
{
    struct sp_buf room = {0};
    struct sp_api_answer answer = {
        .status = 200, .type = "application/msgpack", .call = call};
    snakepit_err err = sp_body_msgpack(value, &room, &answer.body);
    if (err == SNAKEPIT_OK) {
        sp_api_reply(exchange, &answer);
    } else {
        const snakepit_fault fault = sp_fault_of(err, NULL);
        sp_api_fault(exchange, &fault, 0, call);
    }
    sp_buf_fini(&room);
}

void sp_api_reply_value(struct sp_exchange *exchange, const snakepit_writer *writer)
{
    struct sp_buf text = {0};
    snakepit_reader reader;
    const enum sp_media media =
        sp_api_choose(exchange, SP_MEDIA_JSON | SP_MEDIA_MSGPACK);
    if (media == SP_MEDIA_NONE) {
        return;
    }
    snakepit_err err = sp_writer_to_json(writer, &text);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(exchange, err, NULL);
    } else if (media == SP_MEDIA_JSON) {
        reply_json(exchange, (const char *)text.data, text.size, NULL);
    } else {
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        reply_msgpack(exchange, &reader, NULL);
    }
    sp_buf_fini(&text);
}

// What a value takes as text, more or less: all of it up to SP_API_LARGE.
static size_t weigh(snakepit_reader reader)
{
    size_t weight = (size_t)(reader.end - reader.at);
    size_t bytes = 0;
    snakepit_value value;
    while (weight <= SP_API_LARGE &&
           snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_TENSOR &&
            snakepit_tensor_bytes(&value.as.tensor, &bytes) == SNAKEPIT_OK) {
            weight += bytes;
        }
    }
    return weight;
}

bool sp_api_value_is_large(const snakepit_reader *value)
{
    // Most are neither: they are not walked through.
    const bool may_be =
        value->tensors_size != 0 || (size_t)(value->end - value->at) > SP_API_LARGE;
    return may_be && weigh(*value) > SP_API_LARGE;
}

bool sp_api_result_is_large(const snakepit_answer *answer)
{
    snakepit_reader reader;
    if (snakepit_answer_fault(answer)->err != SNAKEPIT_OK) {
        return false;
    }
    snakepit_answer_reader(answer, &reader);
    return weigh(reader) > SP_API_LARGE;
}

void sp_api_result_make(struct sp_api_result *result,
                        snakepit_answer *answer,
                        unsigned media)
{
    snakepit_reader reader;
    if (media == SP_MEDIA_MSGPACK) {
        snakepit_answer_reader(answer, &reader);
        result->err = sp_body_msgpack(&reader, &result->room, &result->body);
        return;
    }
    const char *text = snakepit_answer_json(answer);
    result->err = text == NULL ? SNAKEPIT_UNSERIALISABLE : SNAKEPIT_OK;
    if (text != NULL) {
        result->body = sp_slice_of_text(text);
    }
}

static void reply_without_result(struct sp_exchange *exchange,
                                 const snakepit_answer *answer,
                                 snakepit_err err,
                                 unsigned media,
                                 const char *call)
{
    snakepit_reader reader;
    snakepit_message why;
    snakepit_answer_reader(answer, &reader);
    const snakepit_fault fault = media == SP_MEDIA_MSGPACK
                                     ? sp_fault_of(err, NULL)
                                     : sp_fault_no_json(&reader, &why);
    sp_api_fault(exchange, &fault, 0, call);
}

void sp_api_reply_result(struct sp_exchange *exchange,
                         struct sp_api_result *result,
                         snakepit_answer *answer,
                         unsigned media,
                         const char *call)
{
    if (result->err != SNAKEPIT_OK) {
        reply_without_result(exchange, answer, result->err, media, call);
    } else {
        sp_api_reply(exchange,
                     &(const struct sp_api_answer){.status = 200,
                                                   .type = media == SP_MEDIA_MSGPACK
                                                               ? "application/msgpack"
                                                               : "application/json",
                                                   .body = result->body,
                                                   .call = call});
    }
    sp_buf_fini(&result->room);
}

void sp_api_reply_answer(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         unsigned media,
                         const char *call)
{
    struct sp_api_result result = {.err = SNAKEPIT_OK};
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    if (fault->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, fault, snakepit_answer_retry_after_ms(answer), call);
        return;
    }
    sp_api_result_make(&result, answer, media);
    sp_api_reply_result(exchange, &result, answer, media, call);
}

// ---- The configuration ----------------------------------------------------------

bool sp_api_shows_tracebacks(const struct sp_exchange *exchange)
{
    return sp_serve_loop_config(exchange->loop)->tracebacks;
}

const struct sp_texts *sp_api_origins(const struct sp_exchange *exchange)
{
    return &sp_serve_loop_config(exchange->loop)->origins;
}
