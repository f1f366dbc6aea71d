// SPDX-License-Identifier: MIT
// Sessions and their values.
#include <string.h>

#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "config/config.h"
#include "grpc/messages.h"
#include "grpc/proto_payload.h"
#include "http/problem.h"
#include "server/server.h"
#include "services/call.h"
#include "services/message.h"

static bool read_name(struct sp_exchange *exchange,
                      struct sp_slice session,
                      struct sp_params *params)
{
    return sp_grpc_text(exchange, session, "session", params->of[0]);
}

static bool read_names(struct sp_exchange *exchange,
                       struct sp_slice session,
                       struct sp_slice key,
                       struct sp_params *params)
{
    return read_name(exchange, session, params) &&
           sp_grpc_text(exchange, key, "key", params->of[1]);
}

// ---- Sessions -------------------------------------------------------------------

// The texts that an array of keys holds. NO_MEMORY.
static snakepit_err list_keys(snakepit_answer *answer,
                              struct sp_scratch *scratch,
                              struct sp_v1_get_session_response *response)
{
    snakepit_reader reader;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_answer_reader(answer, &reader);
    (void)snakepit_reader_next(&reader, &value);
    const size_t count = value.kind == SNAKEPIT_ARRAY ? value.as.count : 0;
    struct sp_slice *keys = sp_scratch_take(scratch, (count + 1) * sizeof *keys);
    if (keys == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
            value.kind == SNAKEPIT_TEXT) {
            keys[i].data = (const uint8_t *)value.as.text.data;
            keys[i].size = value.as.text.size;
        }
    }
    response->keys.items = keys;
    response->keys.count = count;
    return SNAKEPIT_OK;
}

// ---- A page of them ---------------------------------------------------------------

// What stands under a key of the map, which the pit has written.
static snakepit_value find_value(snakepit_reader map, const char *key)
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_value name;
    const size_t size = strlen(key);
    (void)snakepit_reader_next(&map, &value);
    for (uint32_t left = value.as.count; left > 0; left--) {
        if (snakepit_reader_next(&map, &name) != SNAKEPIT_OK) {
            break;
        }
        if (name.as.text.size == size && memcmp(name.as.text.data, key, size) == 0) {
            (void)snakepit_reader_next(&map, &value);
            return value;
        }
        (void)snakepit_reader_skip(&map);
    }
    return (snakepit_value){.kind = SNAKEPIT_NIL};
}

static struct sp_slice text_under(snakepit_reader map, const char *key)
{
    const snakepit_value value = find_value(map, key);
    const bool text = value.kind == SNAKEPIT_TEXT;
    return (struct sp_slice){text ? (const uint8_t *)value.as.text.data : NULL,
                             text ? value.as.text.size : 0};
}

static uint64_t number_under(snakepit_reader map, const char *key)
{
    const snakepit_value value = find_value(map, key);
    return value.kind == SNAKEPIT_INTEGER ? (uint64_t)value.as.integer : 0;
}

static snakepit_err list_sessions(const snakepit_answer *answer,
                                  struct sp_scratch *scratch,
                                  struct sp_v1_list_sessions_response *response)
{
    snakepit_reader map;
    snakepit_reader at;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_answer_reader(answer, &map);
    at = map;
    (void)snakepit_reader_next(&at, &value); // the map,
    (void)snakepit_reader_next(&at, &value); // whose first key is that of the list
    (void)snakepit_reader_next(&at, &value);
    const size_t count = value.kind == SNAKEPIT_ARRAY ? value.as.count : 0;
    struct sp_v1_session_info *items =
        sp_scratch_take(scratch, (count + 1) * sizeof *items);
    if (items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct sp_v1_session_info){.session = text_under(at, "session"),
                                               .values = number_under(at, "values"),
                                               .bytes = number_under(at, "bytes")};
        (void)snakepit_reader_skip(&at);
    }
    response->sessions.items = items;
    response->sessions.count = count;
    response->next = text_under(map, "next");
    response->has_next = response->next.data != NULL;
    return SNAKEPIT_OK;
}

static void answer_page(struct sp_exchange *exchange,
                        const char *after,
                        uint32_t limit,
                        struct sp_scratch *scratch)
{
    struct sp_v1_list_sessions_response response = {.has_next = false};
    snakepit_answer *answer;
    if (limit > SP_SESSIONS_MOST) {
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, "limit is more than 1000");
        return;
    }
    sp_api_list_sessions(exchange, after, limit, &answer);
    if (answer == NULL) {
        return;
    }
    if (snakepit_answer_fault(answer)->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, snakepit_answer_fault(answer), 0, NULL);
    } else if (list_sessions(answer, scratch, &response) == SNAKEPIT_OK) {
        sp_grpc_answer(exchange, &sp_type_v1_list_sessions_response, &response);
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    snakepit_answer_free(answer);
}

void sp_grpc_list_sessions(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_list_sessions_request request = {.has_after = false};
    char after[SP_PARAM_SIZE];
    if (sp_grpc_decode(
            exchange, &sp_type_v1_list_sessions_request, message, &scratch, &request) &&
        sp_grpc_text(exchange, request.after, "after", after)) {
        answer_page(
            exchange, request.has_after ? after : NULL, request.limit, &scratch);
    }
    sp_scratch_fini(&scratch);
}

// ---- One ----------------------------------------------------------------------------

static void answer_session(struct sp_exchange *exchange,
                           const char *session,
                           struct sp_scratch *scratch)
{
    struct sp_v1_get_session_response response = {.session = sp_slice_of_text(session)};
    char room[SP_GRANT_SESSION_SIZE];
    snakepit_answer *answer = NULL;
    const char *name = sp_api_session_name(exchange, session, room);
    if (name == NULL) {
        return;
    }
    snakepit_err err = snakepit_session_list(sp_api_of(exchange)->pit, name, &answer);
    if (err != SNAKEPIT_OK) {
        sp_api_fault(exchange, snakepit_answer_fault(answer), 0, NULL);
    } else if (list_keys(answer, scratch, &response) == SNAKEPIT_OK) {
        sp_grpc_answer(exchange, &sp_type_v1_get_session_response, &response);
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    snakepit_answer_free(answer);
}

void sp_grpc_get_session(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_get_session_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_get_session_request, message, &scratch, &request) &&
        read_name(exchange, request.session, &params)) {
        answer_session(exchange, params.of[0], &scratch);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_end_session(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_end_session_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_end_session_request, message, &scratch, &request) &&
        read_name(exchange, request.session, &params)) {
        sp_api_end_session(exchange, &params);
    }
    sp_scratch_fini(&scratch);
}

// ---- Values ---------------------------------------------------------------------

static void answer_value(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         enum sp_v1_form form,
                         struct sp_scratch *scratch)
{
    struct sp_v1_payload payload = {.which = 0};
    const struct sp_v1_get_value_response response = {.value = &payload};
    snakepit_reader reader;
    snakepit_message why = {{0}};
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    if (fault->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, fault, 0, NULL);
        return;
    }
    snakepit_answer_reader(answer, &reader);
    snakepit_err err = sp_payload_write(&reader, form, scratch, &payload, &why);
    if (err == SNAKEPIT_OK) {
        sp_grpc_answer(exchange, &sp_type_v1_get_value_response, &response);
    } else {
        sp_api_fail(exchange, err, why.text);
    }
}

static void show_value(struct sp_exchange *exchange,
                       const struct sp_params *params,
                       int32_t asked,
                       struct sp_scratch *scratch)
{
    char room[SP_GRANT_SESSION_SIZE];
    enum sp_v1_form form;
    snakepit_answer *answer = NULL;
    const char *session = sp_api_session_name(exchange, params->of[0], room);
    if (session == NULL) {
        return;
    }
    if (sp_payload_form(asked, NULL, &form) != SNAKEPIT_OK) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "form is not one of the forms that there are");
        return;
    }
    (void)snakepit_session_get(
        sp_api_of(exchange)->pit, session, params->of[1], &answer);
    answer_value(exchange, answer, form, scratch);
    snakepit_answer_free(answer);
}

void sp_grpc_get_value(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_get_value_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_get_value_request, message, &scratch, &request) &&
        read_names(exchange, request.session, request.key, &params)) {
        show_value(exchange, &params, request.form, &scratch);
    }
    sp_scratch_fini(&scratch);
}

static void keep(struct sp_exchange *exchange,
                 const struct sp_v1_put_value_request *request,
                 const struct sp_params *params)
{
    static const struct sp_v1_payload nothing;
    snakepit_message why = {{0}};
    snakepit_writer *value = snakepit_writer_new();
    snakepit_err err =
        value == NULL
            ? SNAKEPIT_NO_MEMORY
            : sp_payload_read(request->value == NULL ? &nothing : request->value,
                              false,
                              sp_serve_loop_config(exchange->loop)->max_values,
                              value,
                              &why);
    if (err == SNAKEPIT_OK) {
        sp_api_keep(exchange, params, value, request->ttl_ms);
    } else {
        sp_api_fail(exchange, err, why.text);
    }
    snakepit_writer_free(value);
}

void sp_grpc_put_value(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_put_value_request request = {.which = 0};
    struct sp_params params;
    if (!sp_grpc_decode(
            exchange, &sp_type_v1_put_value_request, message, &scratch, &request) ||
        !read_names(exchange, request.session, request.key, &params)) {
        // is answered
    } else if (request.has_ttl_ms && request.ttl_ms == 0) {
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, "ttl_ms is not over 0");
    } else {
        keep(exchange, &request, &params);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_delete_value(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_delete_value_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_delete_value_request, message, &scratch, &request) &&
        read_names(exchange, request.session, request.key, &params)) {
        sp_api_delete_value(exchange, &params);
    }
    sp_scratch_fini(&scratch);
}
