// SPDX-License-Identifier: MIT
// grpc.testing.TestService, as far as interop clients go. What they call `interval_us`
// is not waited for.
#include <string.h>

#include "base/memory.h"
#include "grpc/fields.h"
#include "grpc/reply.h"
#include "peers/server/messages.h"
#include "peers/server/services.h"
#include "services/call.h"
#include "services/message.h"

#define ECHOED_AT_FIRST "x-grpc-test-echo-initial"
#define ECHOED_AT_LAST  "x-grpc-test-echo-trailing-bin"
#define LARGEST         (16 << 20) // bytes of a payload that a client may ask for

// ---- What all of them do --------------------------------------------------------

static void refuse(const struct sp_grpc_call *call)
{
    sp_grpc_refuse(call->exchange, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
}

// The field of that name, if the client sent it; `field` holds it then.
static struct sp_grpc_metadata
echo(const struct sp_exchange *exchange, const char *name, struct sp_field *field)
{
    *field = (struct sp_field){sp_slice_of_text(name),
                               sp_request_field(&exchange->request, name)};
    return (struct sp_grpc_metadata){field, field->value.data != NULL ? 1 : 0};
}

// As the client wants it; NULL: OK.
static struct sp_grpc_status status_of(const struct sp_testing_status *wanted)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    size_t taken = 0;
    if (wanted != NULL) {
        status.code = (enum sp_grpc_code)wanted->code;
        (void)sp_grpc_encode_message(
            wanted->message, SP_GRPC_TOLD_MOST, &status.message, &taken);
    }
    return status;
}

// Appends a framed payload of so many zeros. NO_MEMORY: also of more than anybody asks
// for.
static snakepit_err
add_payload(struct sp_buf *frames, int32_t size, const char *server_id)
{
    struct sp_testing_payload payload = {.body = {NULL, 0}};
    const struct sp_testing_response response = {
        .payload = &payload, .server_id = sp_slice_of_text(server_id)};
    uint8_t *zeros =
        size < 0 || size > LARGEST ? NULL : sp_alloc_array((size_t)size + 1, 1);
    if (zeros == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    payload.body = (struct sp_slice){zeros, (size_t)size};
    snakepit_err err = sp_grpc_append(frames, &sp_type_testing_response, &response);
    sp_free(zeros);
    return err;
}

// The payloads that a request asks for, framed.
static snakepit_err add_payloads(struct sp_buf *frames,
                                 const struct sp_testing_output *request)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->response_parameters.count;
         i++) {
        err = add_payload(frames, request->response_parameters.items[i].size, "");
    }
    return err;
}

static struct sp_slice bytes_of(const struct sp_buf *buf)
{
    return (struct sp_slice){buf->data, buf->size};
}

// ---- One request ----------------------------------------------------------------

static void answer(struct sp_exchange *exchange,
                   const struct sp_buf *frames,
                   const struct sp_testing_status *wanted)
{
    struct sp_field field;
    struct sp_grpc_status status = status_of(wanted);
    sp_grpc_begin_with(exchange, echo(exchange, ECHOED_AT_FIRST, &field));
    if (frames->size > 0 &&
        sp_exchange_send(exchange, bytes_of(frames)) != SNAKEPIT_OK) {
        sp_grpc_status_fini(&status);
        sp_exchange_fail(exchange);
        return;
    }
    sp_grpc_end_with(exchange, &status, echo(exchange, ECHOED_AT_LAST, &field));
}

void peers_empty_call(struct sp_grpc_call *call, struct sp_slice message)
{
    const struct sp_testing_empty empty = {.which = 0};
    (void)message;
    sp_grpc_answer(call->exchange, &sp_type_testing_empty, &empty);
}

void peers_unary_call(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_testing_request request = {.which = 0};
    struct sp_buf frames = {0};
    snakepit_err err = SNAKEPIT_OK;
    if (sp_grpc_decode(
            call->exchange, &sp_type_testing_request, message, &scratch, &request)) {
        if (request.response_status == NULL) {
            err = add_payload(&frames,
                              request.response_size,
                              request.fill_server_id ? "snakepit" : "");
        }
        if (err == SNAKEPIT_OK) {
            answer(call->exchange, &frames, request.response_status);
        } else {
            refuse(call);
        }
    }
    sp_buf_fini(&frames);
    sp_scratch_fini(&scratch);
}

void peers_streaming_output_call(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_testing_output request = {.which = 0};
    struct sp_buf frames = {0};
    if (sp_grpc_decode(
            call->exchange, &sp_type_testing_output, message, &scratch, &request)) {
        if (add_payloads(&frames, &request) == SNAKEPIT_OK) {
            answer(call->exchange, &frames, request.response_status);
        } else {
            refuse(call);
        }
    }
    sp_buf_fini(&frames);
    sp_scratch_fini(&scratch);
}

// ---- Requests one after the other -----------------------------------------------

// Reads a request, or ends the call.
static bool read_request(struct sp_grpc_call *call,
                         const struct sp_proto_type *type,
                         struct sp_slice message,
                         struct sp_scratch *scratch,
                         void *request)
{
    snakepit_message why = {{0}};
    snakepit_err err = sp_proto_decode(type, message, scratch, request, &why);
    if (err != SNAKEPIT_OK) {
        sp_grpc_finish(call, SP_GRPC_INTERNAL, why.text);
    }
    return err == SNAKEPIT_OK;
}

static void add_input(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_testing_input request = {.which = 0};
    size_t *sum = call->state;
    if (read_request(call, &sp_type_testing_input, message, &scratch, &request) &&
        request.payload != NULL) {
        *sum += request.payload->body.size;
    }
    sp_scratch_fini(&scratch);
}

static void tell_sum(struct sp_grpc_call *call)
{
    const size_t *sum = call->state;
    const struct sp_testing_input_size response = {.aggregated_payload_size =
                                                       (int32_t)*sum};
    struct sp_buf frame = {0};
    if (sp_grpc_append(&frame, &sp_type_testing_input_size, &response) != SNAKEPIT_OK) {
        sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
    } else if (sp_grpc_send(call, bytes_of(&frame))) {
        sp_grpc_finish(call, SP_GRPC_OK, NULL);
    }
    sp_buf_fini(&frame);
}

static void drop_sum(struct sp_grpc_call *call)
{
    sp_free(call->state);
}

void peers_streaming_input_call(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {
        .message = add_input, .complete = tell_sum, .over = drop_sum};
    (void)message;
    call->state = sp_alloc(sizeof(size_t));
    if (call->state == NULL) {
        refuse(call);
    } else {
        sp_grpc_hold(call, &holder);
    }
}

// ---- Both ways ------------------------------------------------------------------

static void begin_answer(struct sp_grpc_call *call)
{
    struct sp_field field;
    sp_grpc_open_with(call, echo(call->exchange, ECHOED_AT_FIRST, &field));
}

static void finish(struct sp_grpc_call *call, const struct sp_testing_status *wanted)
{
    struct sp_field field;
    struct sp_grpc_status status = status_of(wanted);
    begin_answer(call);
    sp_grpc_finish_with(call, &status, echo(call->exchange, ECHOED_AT_LAST, &field));
}

static void answer_one(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_testing_output request = {.which = 0};
    struct sp_buf frames = {0};
    if (read_request(call, &sp_type_testing_output, message, &scratch, &request)) {
        begin_answer(call);
        if (request.response_status != NULL) {
            finish(call, request.response_status);
        } else if (add_payloads(&frames, &request) != SNAKEPIT_OK) {
            sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
        } else if (frames.size > 0) {
            (void)sp_grpc_send(call, bytes_of(&frames));
        }
    }
    sp_buf_fini(&frames);
    sp_scratch_fini(&scratch);
}

static void end(struct sp_grpc_call *call)
{
    finish(call, NULL);
}

void peers_full_duplex_call(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {.message = answer_one,
                                                 .complete = end};
    (void)message;
    sp_grpc_hold(call, &holder);
}
