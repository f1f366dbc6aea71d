// SPDX-License-Identifier: MIT
#include "grpc/reply.h"

#include "base/check.h"
#include "config/config.h"
#include "server/server.h"

#define TYPE        "application/grpc"
#define FIELDS_MOST (SP_GRPC_TRAILERS_MOST + 2u)

static size_t add_call(struct sp_field *fields, const char *call)
{
    if (call == NULL) {
        return 0;
    }
    fields[0] =
        (struct sp_field){sp_slice_of_text("snakepit-call-id"), sp_slice_of_text(call)};
    return 1;
}

void sp_grpc_begin_with(struct sp_exchange *exchange, struct sp_grpc_metadata metadata)
{
    const struct sp_reply reply = {.status = 200,
                                   .type = TYPE,
                                   .fields = metadata.fields,
                                   .field_count = metadata.count};
    sp_exchange_begin(exchange, &reply);
}

void sp_grpc_begin(struct sp_exchange *exchange, const char *call)
{
    struct sp_field field;
    const struct sp_grpc_metadata metadata = {&field, add_call(&field, call)};
    sp_grpc_begin_with(exchange, metadata);
}

// ---- The end of an answer that has begun ------------------------------------------

static const struct sp_grpc_metadata no_metadata = {NULL, 0};

// Whether the client has said how long it waits, and has waited.
static bool waits_no_longer(const struct sp_exchange *exchange, enum sp_grpc_code code)
{
    return code == SP_GRPC_DEADLINE_EXCEEDED &&
           sp_request_field(&exchange->request, "grpc-timeout").data != NULL;
}

static void count_code(const struct sp_exchange *exchange, enum sp_grpc_code code)
{
    sp_door_count_code(sp_serve_loop_counts(exchange->loop, exchange->peer->door),
                       (unsigned)code);
}

void sp_grpc_end_with(struct sp_exchange *exchange,
                      struct sp_grpc_status *status,
                      struct sp_grpc_metadata metadata)
{
    struct sp_field fields[SP_GRPC_TRAILERS_MOST + SP_GRPC_METADATA_MOST];
    size_t count = sp_grpc_status_fields(status, fields);
    SP_CHECK(metadata.count <= SP_GRPC_METADATA_MOST);
    for (size_t i = 0; i < metadata.count; i++) {
        fields[count++] = metadata.fields[i];
    }
    count_code(exchange, status->code);
    if (waits_no_longer(exchange, status->code)) {
        sp_exchange_expire(exchange, fields, count);
    } else {
        sp_exchange_end_with(exchange, fields, count);
    }
    sp_grpc_status_fini(status);
}

void sp_grpc_end(struct sp_exchange *exchange,
                 enum sp_grpc_code code,
                 const char *message)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    sp_grpc_status_set(&status, code, message);
    sp_grpc_end_with(exchange, &status, no_metadata);
}

static bool has_insight(const struct sp_exchange *exchange)
{
    return sp_serve_loop_config(exchange->loop)->tracebacks;
}

void sp_grpc_end_call(struct sp_exchange *exchange,
                      const snakepit_fault *fault,
                      uint32_t retry_after_ms)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    if (fault != NULL) {
        sp_grpc_status_of_fault(&status, fault, retry_after_ms, has_insight(exchange));
    }
    sp_grpc_end_with(exchange, &status, no_metadata);
}

// ---- Whole answers ----------------------------------------------------------------

bool sp_grpc_may_answer(struct sp_exchange *exchange, size_t bytes)
{
    const bool may = sp_serve_loop_may_answer(exchange->loop, bytes);
    if (!may) {
        sp_grpc_refuse(exchange, SP_GRPC_RESOURCE_EXHAUSTED, SP_NO_ROOM_FOR_ANSWER);
    }
    return may;
}

void sp_grpc_reply(struct sp_exchange *exchange, struct sp_slice message)
{
    static const struct sp_field ok = {{(const uint8_t *)"grpc-status", 11},
                                       {(const uint8_t *)"0", 1}};
    if (!sp_grpc_may_answer(exchange, message.size)) {
        return;
    }
    sp_grpc_begin(exchange, NULL);
    if (sp_exchange_send(exchange, message) == SNAKEPIT_OK) {
        count_code(exchange, SP_GRPC_OK);
        sp_exchange_end_with(exchange, &ok, 1);
    } else {
        sp_exchange_fail(exchange);
    }
}

static void refuse_with(struct sp_exchange *exchange,
                        struct sp_grpc_status *status,
                        const char *call)
{
    struct sp_field fields[FIELDS_MOST];
    // Clients look at it where a message of theirs was compressed in vain.
    fields[0] = (struct sp_field){sp_slice_of_text("grpc-accept-encoding"),
                                  sp_slice_of_text("identity,gzip")};
    const size_t begun = 1 + add_call(fields + 1, call);
    const struct sp_reply reply = {
        .status = 200,
        .type = TYPE,
        .fields = fields,
        .field_count = begun + sp_grpc_status_fields(status, fields + begun)};
    count_code(exchange, status->code);
    sp_exchange_reply(exchange, &reply, (struct sp_slice){NULL, 0});
    sp_grpc_status_fini(status);
}

void sp_grpc_refuse(struct sp_exchange *exchange,
                    enum sp_grpc_code code,
                    const char *message)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    sp_grpc_status_set(&status, code, message);
    refuse_with(exchange, &status, NULL);
}

void sp_grpc_refuse_call(struct sp_exchange *exchange,
                         const snakepit_fault *fault,
                         uint32_t retry_after_ms,
                         const char *call)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    sp_grpc_status_of_fault(&status, fault, retry_after_ms, has_insight(exchange));
    refuse_with(exchange, &status, call);
}
