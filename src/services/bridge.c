// SPDX-License-Identifier: MIT
// The original's contract: sessions, and what hosts ask of a worker beside calls. What
// it keeps of a session is a value of the session, so that it is bounded and ends as
// those are.
#include "services/bridge.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/call.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "grpc/reply.h"
#include "services/message.h"

#define KEPT "snakepit.bridge" // the key of what is kept: [ms since 1970, metadata]

static struct sp_pb_timestamp now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (struct sp_pb_timestamp){.seconds = (int64_t)time.tv_sec,
                                    .nanos = (int32_t)time.tv_nsec};
}

void sp_grpc_bridge_ping(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_ping_request request = {.which = 0};
    if (sp_grpc_decode(call->exchange,
                       &sp_type_bridge_ping_request,
                       message,
                       &scratch,
                       &request)) {
        struct sp_pb_timestamp time = now();
        const struct sp_bridge_ping_response response = {.message = request.message,
                                                         .server_time = &time};
        sp_grpc_answer(call->exchange, &sp_type_bridge_ping_response, &response);
    }
    sp_scratch_fini(&scratch);
}

// ---- Sessions -------------------------------------------------------------------

// A session by its name, as the pit knows it. False: it was refused.
struct named {
    char text[SP_PARAM_SIZE];
    char room[SP_GRANT_SESSION_SIZE];
    const char *name;
};

static bool
read_name(struct sp_exchange *exchange, struct sp_slice session, struct named *named)
{
    if (session.size == 0) {
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, "session_id is empty");
        return false;
    }
    if (!sp_grpc_text(exchange, session, "session_id", named->text)) {
        return false;
    }
    named->name = sp_api_session_name(exchange, named->text, named->room);
    return named->name != NULL;
}

static void write_kept(snakepit_writer *writer,
                       const struct sp_bridge_initialize_session_request *request)
{
    const struct sp_pb_timestamp time = now();
    snakepit_writer_array(writer, 2);
    snakepit_writer_int(writer, time.seconds * 1000 + time.nanos / 1000000);
    snakepit_writer_array(writer, (uint32_t)(2 * request->metadata.count));
    for (size_t i = 0; i < request->metadata.count; i++) {
        const struct sp_text_to_text *entry = &request->metadata.items[i];
        snakepit_writer_strn(writer, (const char *)entry->key.data, entry->key.size);
        snakepit_writer_strn(
            writer, (const char *)entry->value.data, entry->value.size);
    }
}

// False: it was refused.
static bool keep(struct sp_exchange *exchange,
                 const char *session,
                 const struct sp_bridge_initialize_session_request *request)
{
    snakepit_message why = {{0}};
    const snakepit_put_options options = {.size = sizeof options, .why = &why};
    snakepit_writer *writer = snakepit_writer_new();
    write_kept(writer, request);
    snakepit_err err =
        snakepit_session_put(sp_api_of(exchange)->pit, session, KEPT, writer, &options);
    snakepit_writer_free(writer);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(exchange, err, why.text);
    }
    return err == SNAKEPIT_OK;
}

// An entry for each tool. NULL: without memory.
static struct sp_text_to_bridge_tool_spec *by_name(const struct sp_bridge_tools *tools,
                                                   struct sp_scratch *scratch)
{
    struct sp_text_to_bridge_tool_spec *entries =
        sp_scratch_take(scratch, (tools->count + 1) * sizeof *entries);
    for (size_t i = 0; i < tools->count && entries != NULL; i++) {
        entries[i].key = tools->items[i].name;
        entries[i].value = &tools->items[i];
    }
    return entries;
}

static void answer_session(struct sp_exchange *exchange,
                           snakepit_answer *answer,
                           unsigned as,
                           const char *call)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_initialize_session_response response = {.success = true};
    struct sp_bridge_tools tools = {NULL, 0};
    snakepit_reader reader;
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    (void)as;
    (void)call;
    snakepit_answer_reader(answer, &reader);
    if (fault->err != SNAKEPIT_OK) {
        response.success = false;
        response.error_message = sp_slice_of_text(fault->message);
    } else if (sp_bridge_tools_read(&reader, &scratch, &tools) == SNAKEPIT_OK) {
        response.available_tools.items = by_name(&tools, &scratch);
        response.available_tools.count =
            response.available_tools.items == NULL ? 0 : tools.count;
    }
    sp_grpc_answer(exchange, &sp_type_bridge_initialize_session_response, &response);
    sp_scratch_fini(&scratch);
}

static void submit_tools(struct sp_grpc_call *call, struct sp_api_form form)
{
    struct sp_api_ask ask;
    char pool[SP_PARAM_SIZE];
    const struct sp_slice unnamed = {NULL, 0};
    if (sp_grpc_pool(call, unnamed, pool) &&
        sp_api_ask_about_pool(call->exchange, pool, &ask)) {
        sp_api_submit_tools(call->exchange, &ask, form);
    }
}

void sp_grpc_bridge_initialize(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_initialize_session_request request = {.which = 0};
    struct named named;
    if (sp_grpc_decode(exchange,
                       &sp_type_bridge_initialize_session_request,
                       message,
                       &scratch,
                       &request) &&
        read_name(exchange, request.session_id, &named) &&
        keep(exchange, named.name, &request)) {
        submit_tools(call, (struct sp_api_form){.answer = answer_session});
    }
    sp_scratch_fini(&scratch);
}

// How many keys a session has; false: there is no such session.
static bool count_keys(struct sp_exchange *exchange, const char *session, size_t *count)
{
    snakepit_reader reader;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_answer *answer = NULL;
    snakepit_err err =
        snakepit_session_list(sp_api_of(exchange)->pit, session, &answer);
    if (err == SNAKEPIT_OK) {
        snakepit_answer_reader(answer, &reader);
        (void)snakepit_reader_next(&reader, &value);
    }
    *count = value.kind == SNAKEPIT_ARRAY ? value.as.count : 0;
    snakepit_answer_free(answer);
    return err == SNAKEPIT_OK;
}

void sp_grpc_bridge_cleanup(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_cleanup_session_request request = {.which = 0};
    struct named named;
    size_t count = 0;
    if (sp_grpc_decode(exchange,
                       &sp_type_bridge_cleanup_session_request,
                       message,
                       &scratch,
                       &request) &&
        read_name(exchange, request.session_id, &named)) {
        struct sp_bridge_cleanup_session_response response = {.which = 0};
        if (count_keys(exchange, named.name, &count)) {
            response.success = snakepit_session_close(sp_api_of(exchange)->pit,
                                                      named.name) == SNAKEPIT_OK;
            response.resources_cleaned = (int32_t)count;
        }
        sp_grpc_answer(exchange, &sp_type_bridge_cleanup_session_response, &response);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_bridge_heartbeat(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_heartbeat_request request = {.which = 0};
    struct sp_pb_timestamp time = now();
    struct sp_bridge_heartbeat_response response = {.server_time = &time};
    struct named named;
    size_t count;
    if (sp_grpc_decode(
            exchange, &sp_type_bridge_heartbeat_request, message, &scratch, &request) &&
        read_name(exchange, request.session_id, &named)) {
        response.session_valid = count_keys(exchange, named.name, &count);
        sp_grpc_answer(exchange, &sp_type_bridge_heartbeat_response, &response);
    }
    sp_scratch_fini(&scratch);
}

// ---- What is kept of a session ----------------------------------------------------

static bool next_text(snakepit_reader *reader, struct sp_slice *text)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    *text = (struct sp_slice){(const uint8_t *)value.as.text.data, value.as.text.size};
    return true;
}

// As write_kept() has written it, unless a tool has put something else there.
static void read_kept(snakepit_answer *answer,
                      struct sp_scratch *scratch,
                      struct sp_pb_timestamp *time,
                      struct sp_bridge_get_session_response *response)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count != 2 ||
        snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_INTEGER) {
        return;
    }
    time->seconds = value.as.integer / 1000;
    time->nanos = (int32_t)(value.as.integer % 1000 * 1000000);
    response->created_at = time;
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return;
    }
    const size_t room = value.as.count / 2;
    struct sp_text_to_text *entries =
        sp_scratch_take(scratch, (room + 1) * sizeof *entries);
    response->metadata.items = entries;
    for (size_t i = 0; i < room && entries != NULL; i++) {
        if (!next_text(&reader, &entries[i].key) ||
            !next_text(&reader, &entries[i].value)) {
            return;
        }
        response->metadata.count = i + 1;
    }
}

void sp_grpc_bridge_get_session(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_get_session_request request = {.which = 0};
    struct sp_bridge_get_session_response response = {.which = 0};
    struct sp_pb_timestamp time;
    struct named named;
    snakepit_answer *answer = NULL;
    size_t count;
    if (!sp_grpc_decode(exchange,
                        &sp_type_bridge_get_session_request,
                        message,
                        &scratch,
                        &request) ||
        !read_name(exchange, request.session_id, &named)) {
        // is answered
    } else if (!count_keys(exchange, named.name, &count)) {
        sp_grpc_refuse(exchange, SP_GRPC_NOT_FOUND, "there is no such session");
    } else {
        response.session_id = request.session_id;
        if (snakepit_session_get(sp_api_of(exchange)->pit, named.name, KEPT, &answer) ==
            SNAKEPIT_OK) {
            read_kept(answer, &scratch, &time, &response);
        }
        sp_grpc_answer(exchange, &sp_type_bridge_get_session_response, &response);
        snakepit_answer_free(answer);
    }
    sp_scratch_fini(&scratch);
}

// ---- Tools of others ------------------------------------------------------------

void sp_grpc_bridge_register(struct sp_grpc_call *call, struct sp_slice message)
{
    static const char sentence[] =
        "this daemon starts its workers itself, and calls no others";
    const struct sp_bridge_register_tools_response response = {
        .error_message = sp_slice_of_text(sentence)};
    (void)message;
    sp_grpc_answer(call->exchange, &sp_type_bridge_register_tools_response, &response);
}

static void answer_exposed(struct sp_exchange *exchange,
                           snakepit_answer *answer,
                           unsigned as,
                           const char *call)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_get_exposed_elixir_tools_response response = {.which = 0};
    struct sp_bridge_tools tools = {NULL, 0};
    snakepit_reader reader;
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    (void)as;
    if (fault->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, fault, snakepit_answer_retry_after_ms(answer), call);
        return;
    }
    snakepit_answer_reader(answer, &reader);
    if (sp_bridge_tools_read(&reader, &scratch, &tools) == SNAKEPIT_OK) {
        response.tools.items = tools.items;
        response.tools.count = tools.count;
    }
    sp_grpc_answer(
        exchange, &sp_type_bridge_get_exposed_elixir_tools_response, &response);
    sp_scratch_fini(&scratch);
}

void sp_grpc_bridge_exposed(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    submit_tools(call, (struct sp_api_form){.answer = answer_exposed});
}
