// SPDX-License-Identifier: MIT
// Calls of tools. What a call is asked with stands in its message, and may stand in its
// metadata, by the names that HTTP has for it; the message goes first.
#include <string.h>

#include "api/ask.h"
#include "api/call.h"
#include "api/large.h"
#include "api/reply.h"
#include "api/stream.h"
#include "base/memory.h"
#include "config/config.h"
#include "grpc/fields.h"
#include "grpc/messages.h"
#include "grpc/proto_payload.h"
#include "grpc/reply.h"
#include "http/problem.h"
#include "server/server.h"
#include "services/call.h"
#include "services/early_tensor.h"
#include "services/large.h"
#include "services/message.h"

// A call, as it is asked for. It borrows from itself and from the message.
struct asked {
    struct sp_scratch scratch;
    struct sp_v1_call_request request;
    struct sp_api_ask ask;
    snakepit_writer *args;  // until they are those of `ask`; NULL: none
    snakepit_writer *spare; // for these; NULL: none
    snakepit_err err;       // of the message; `malformed` is not of its values
    bool malformed;
    snakepit_message why;
    enum sp_v1_form form;
    char pool[SP_PARAM_SIZE];
    char tool[SP_PARAM_SIZE];
};

// ---- The message ------------------------------------------------------------------

static snakepit_err read_arguments(struct asked *asked, uint64_t most_values)
{
    if (asked->request.arguments == NULL) {
        return SNAKEPIT_OK;
    }
    asked->args = asked->spare != NULL ? asked->spare : snakepit_writer_new();
    asked->spare = NULL;
    return asked->args == NULL ? SNAKEPIT_NO_MEMORY
                               : sp_payload_read(asked->request.arguments,
                                                 true,
                                                 most_values,
                                                 asked->args,
                                                 &asked->why);
}

// Any thread: what takes long, where the message is large.
static void read_message(struct asked *asked,
                         struct sp_slice message,
                         const struct sp_early_tensor *early,
                         const struct sp_serve_config *config)
{
    asked->scratch.limit = (size_t)config->max_message; // see sp_grpc_decode()
    asked->err = sp_proto_decode(&sp_type_v1_call_request,
                                 message,
                                 &asked->scratch,
                                 &asked->request,
                                 &asked->why);
    asked->malformed = asked->err == SNAKEPIT_MALFORMED;
    if (asked->err == SNAKEPIT_OK) {
        sp_early_tensor_put_back(early, message, &asked->request);
        asked->err = read_arguments(asked, config->max_values);
    }
}

static const struct sp_serve_config *config_of(const struct sp_exchange *exchange)
{
    return sp_serve_loop_config(exchange->loop);
}

// ---- Asking ---------------------------------------------------------------------

// A session whose name is not only of what may stand in a header.
static bool read_session_bin(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    static const char what[] = "snakepit-session-bin";
    struct sp_buf name = {0};
    const struct sp_slice value = sp_request_field(&exchange->request, what);
    if (value.data == NULL) {
        return true;
    }
    snakepit_err err = sp_grpc_decode_bin(value, &name);
    const bool decoded = err == SNAKEPIT_OK;
    if (!decoded) {
        sp_api_fail(exchange, err, "snakepit-session-bin is not base64");
    }
    const bool set =
        decoded && sp_api_ask_set_session(
                       exchange, ask, (struct sp_slice){name.data, name.size}, what);
    sp_buf_fini(&name);
    return set;
}

// What the message says of the call goes before what its metadata says.
static bool read_request(struct sp_exchange *exchange, struct asked *asked)
{
    const struct sp_v1_call_request *request = &asked->request;
    struct sp_api_ask *ask = &asked->ask;
    ask->options.idempotent = ask->options.idempotent || request->idempotent;
    return (!request->has_session ||
            sp_api_ask_set_session(exchange, ask, request->session, "session")) &&
           (!request->has_call_id ||
            sp_api_ask_set_name(exchange, ask, request->call_id, "call_id")) &&
           (request->priority == 0 ||
            sp_api_ask_set_priority(exchange, ask, request->priority, "priority"));
}

static bool read_form(struct sp_exchange *exchange, struct asked *asked)
{
    snakepit_err err = sp_payload_form(
        asked->request.result_form, asked->request.arguments, &asked->form);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(
            exchange, err, "result_form is not one of the forms that there are");
    }
    return err == SNAKEPIT_OK;
}

// Makes the options of the call of what was read. False: it was refused.
static bool ask_for(struct sp_grpc_call *call, struct asked *asked)
{
    struct sp_exchange *exchange = call->exchange;
    if (!sp_grpc_is_read(exchange, asked->err, asked->malformed, &asked->why) ||
        !sp_grpc_pool(call, asked->request.pool, asked->pool) ||
        !sp_grpc_text(exchange, asked->request.tool, "tool", asked->tool) ||
        !sp_api_ask_begin(exchange, asked->pool, &asked->ask)) {
        return false;
    }
    asked->ask.tool = asked->tool;
    asked->ask.args = asked->args;
    sp_grpc_take_deadline(call, &asked->ask);
    return read_session_bin(exchange, &asked->ask) && read_request(exchange, asked) &&
           read_form(exchange, asked);
}

static void asked_fini(struct asked *asked)
{
    snakepit_writer_free(asked->args);
    snakepit_writer_free(asked->spare);
    sp_scratch_fini(&asked->scratch);
}

// Of what is read on the loop: the room for it is that of the call, for the next one.
static void asked_begin(struct asked *asked, struct sp_grpc_call *call)
{
    asked->scratch = call->scratch;
    asked->spare = call->writer;
    call->scratch = (struct sp_scratch){.used = 0};
    call->writer = NULL;
}

static void asked_end(struct asked *asked, struct sp_grpc_call *call)
{
    call->scratch = asked->scratch;
    call->writer = asked->args != NULL ? asked->args : asked->spare;
}

// ---- Large messages ---------------------------------------------------------------

struct large {
    struct sp_grpc_large message; // first
    struct asked asked;
};

static struct large *large_of(struct sp_grpc_large *message)
{
    return SP_ENTRY(message, struct large, message);
}

static void fini_large(struct sp_grpc_large *message)
{
    asked_fini(&large_of(message)->asked);
}

static void read_large(struct sp_grpc_large *message, struct sp_slice bytes)
{
    read_message(&large_of(message)->asked, bytes, message->early, message->config);
}

// ---- Values ---------------------------------------------------------------------

// A value as a payload. UNSERIALISABLE also where it is malformed.
static snakepit_err write_value(const snakepit_reader *value,
                                unsigned form,
                                struct sp_scratch *scratch,
                                struct sp_v1_payload *payload)
{
    snakepit_message why;
    snakepit_err err =
        sp_payload_write(value, (enum sp_v1_form)form, scratch, payload, &why);
    return err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY ? err
                                                           : SNAKEPIT_UNSERIALISABLE;
}

static snakepit_fault
explain_value(const snakepit_reader *value, unsigned form, snakepit_message *why)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_payload payload = {.which = 0};
    why->text[0] = '\0';
    snakepit_err err =
        sp_payload_write(value, (enum sp_v1_form)form, &scratch, &payload, why);
    sp_scratch_fini(&scratch);
    if (err == SNAKEPIT_END) {
        return sp_fault_of(SNAKEPIT_PROTOCOL, "the worker answered without a value");
    }
    return sp_fault_of(err == SNAKEPIT_OK ? SNAKEPIT_NO_MEMORY : err, why->text);
}

// ---- Whole answers ----------------------------------------------------------------

// Writes the message of one answer, around its value.
typedef void answer_fn(struct sp_exchange *exchange, struct sp_v1_payload *value);

static void answer_value(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         unsigned form,
                         const char *call,
                         answer_fn *write)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_payload payload = {.which = 0};
    snakepit_reader reader;
    snakepit_message why;
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    if (fault->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, fault, snakepit_answer_retry_after_ms(answer), call);
        return;
    }
    snakepit_answer_reader(answer, &reader);
    if (write_value(&reader, form, &scratch, &payload) == SNAKEPIT_OK) {
        write(exchange, &payload);
    } else {
        const snakepit_fault none = explain_value(&reader, form, &why);
        sp_api_fault(exchange, &none, 0, call);
    }
    sp_scratch_fini(&scratch);
}

static void write_result(struct sp_exchange *exchange, struct sp_v1_payload *value)
{
    const struct sp_v1_call_response response = {.result = value};
    sp_grpc_answer(exchange, &sp_type_v1_call_response, &response);
}

static void answer_call(struct sp_exchange *exchange,
                        snakepit_answer *answer,
                        unsigned form,
                        const char *call)
{
    answer_value(exchange, answer, form, call, write_result);
}

// On a thread of the server.
static void
make_large(struct sp_api_result *result, snakepit_answer *answer, unsigned form)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_payload payload = {.which = 0};
    const struct sp_v1_call_response response = {.result = &payload};
    snakepit_reader reader;
    snakepit_answer_reader(answer, &reader);
    result->err = write_value(&reader, form, &scratch, &payload);
    if (result->err == SNAKEPIT_OK) {
        result->err =
            sp_grpc_append(&result->room, &sp_type_v1_call_response, &response);
    }
    sp_scratch_fini(&scratch);
}

static void send_large(struct sp_exchange *exchange,
                       struct sp_api_result *result,
                       snakepit_answer *answer,
                       unsigned form,
                       const char *call)
{
    (void)answer;
    (void)form;
    if (result->err == SNAKEPIT_OK) {
        sp_grpc_reply(exchange,
                      (struct sp_slice){result->room.data, result->room.size});
    } else {
        const snakepit_fault fault = sp_fault_of(result->err, NULL);
        sp_api_fault(exchange, &fault, 0, call);
    }
    sp_buf_fini(&result->room);
}

// MessagePack and tensors are sent from where they are.
static struct sp_api_form form_of(enum sp_v1_form as)
{
    struct sp_api_form form = {.answer = answer_call, .as = as};
    if (as != SP_V1_FORM_MSGPACK) {
        form.make = make_large;
        form.send = send_large;
    }
    return form;
}

static void submit(struct sp_grpc_call *call, struct asked *asked)
{
    if (ask_for(call, asked)) {
        sp_api_submit(call->exchange, &asked->ask, form_of(asked->form));
    }
}

static void submit_large(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    submit(call, &large_of(call->state)->asked);
}

static const struct sp_grpc_large_ops submits = {.size = sizeof(struct large),
                                                 .read = read_large,
                                                 .then = submit_large,
                                                 .fini = fini_large};

void sp_grpc_call_tool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct asked asked = {.form = SP_V1_FORM_STRUCT};
    if (message.size > SP_API_LARGE) {
        sp_grpc_large_begin(call, &submits);
        return;
    }
    asked_begin(&asked, call);
    read_message(&asked, message, call->early, config_of(call->exchange));
    submit(call, &asked);
    asked_end(&asked, call);
}

static void write_tools(struct sp_exchange *exchange, struct sp_v1_payload *value)
{
    const struct sp_v1_list_tools_response response = {.tools = value};
    sp_grpc_answer(exchange, &sp_type_v1_list_tools_response, &response);
}

static void answer_tools(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         unsigned form,
                         const char *call)
{
    answer_value(exchange, answer, form, call, write_tools);
}

void sp_grpc_list_tools(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_list_tools_request request = {.form = 0};
    struct sp_api_ask ask;
    enum sp_v1_form form;
    char pool[SP_PARAM_SIZE];
    if (sp_grpc_decode(
            exchange, &sp_type_v1_list_tools_request, message, &scratch, &request) &&
        sp_grpc_pool(call, request.pool, pool) &&
        sp_api_ask_about_pool(exchange, pool, &ask)) {
        sp_grpc_take_deadline(call, &ask);
        if (sp_payload_form(request.form, NULL, &form) == SNAKEPIT_OK) {
            const struct sp_api_form as = {.answer = answer_tools, .as = form};
            sp_api_submit_tools(exchange, &ask, as);
        } else {
            sp_api_fail(exchange,
                        SNAKEPIT_INVALID_ARGUMENT,
                        "form is not one of the forms that there are");
        }
    }
    sp_scratch_fini(&scratch);
}

// ---- Streams --------------------------------------------------------------------

static snakepit_err
add_event(struct sp_buf *out, const snakepit_reader *value, unsigned form, bool last)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_payload payload = {.which = 0};
    struct sp_v1_stream_response event = {.which = last ? 2 : 1};
    if (last) {
        event.result = &payload;
    } else {
        event.chunk = &payload;
    }
    snakepit_err err = write_value(value, form, &scratch, &payload);
    if (err == SNAKEPIT_OK) {
        err = sp_grpc_append(out, &sp_type_v1_stream_response, &event);
    }
    sp_scratch_fini(&scratch);
    return err;
}

static snakepit_err add_chunk(struct sp_buf *out,
                              snakepit_stream *chunks,
                              const snakepit_reader *chunk,
                              const struct sp_api_stream_form *form)
{
    (void)chunks;
    return add_event(out, chunk, form->as, false);
}

static snakepit_err add_result(struct sp_buf *out,
                               snakepit_answer *answer,
                               const struct sp_api_stream_form *form)
{
    snakepit_reader reader;
    snakepit_answer_reader(answer, &reader);
    return add_event(out, &reader, form->as, true);
}

#define STREAM_FORM(form)         \
    {.begin = sp_grpc_begin,      \
     .chunk = add_chunk,          \
     .unwritable = explain_value, \
     .result = add_result,        \
     .end = sp_grpc_end_call,     \
     .as = (form)}

// By enum sp_v1_form.
static const struct sp_api_stream_form stream_forms[] = {
    [SP_V1_FORM_UNSPECIFIED] = STREAM_FORM(SP_V1_FORM_STRUCT),
    [SP_V1_FORM_STRUCT] = STREAM_FORM(SP_V1_FORM_STRUCT),
    [SP_V1_FORM_JSON] = STREAM_FORM(SP_V1_FORM_JSON),
    [SP_V1_FORM_MSGPACK] = STREAM_FORM(SP_V1_FORM_MSGPACK),
};

static void open_stream(struct sp_grpc_call *call, struct asked *asked)
{
    if (ask_for(call, asked)) {
        sp_api_stream(call->exchange, &asked->ask, &stream_forms[asked->form]);
    }
}

static void open_large(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    open_stream(call, &large_of(call->state)->asked);
}

static const struct sp_grpc_large_ops opens = {.size = sizeof(struct large),
                                               .read = read_large,
                                               .then = open_large,
                                               .fini = fini_large};

void sp_grpc_stream_tool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct asked asked = {.form = SP_V1_FORM_STRUCT};
    if (message.size > SP_API_LARGE) {
        sp_grpc_large_begin(call, &opens);
        return;
    }
    asked_begin(&asked, call);
    read_message(&asked, message, call->early, config_of(call->exchange));
    open_stream(call, &asked);
    asked_end(&asked, call);
}

void sp_grpc_cancel_call(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_cancel_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_cancel_request, message, &scratch, &request) &&
        sp_grpc_text(exchange, request.call_id, "call_id", params.of[0])) {
        sp_api_cancel(exchange, &params);
    }
    sp_scratch_fini(&scratch);
}
