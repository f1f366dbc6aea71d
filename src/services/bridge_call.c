// SPDX-License-Identifier: MIT
// The original's contract: calls of tools. Their arguments are JSON texts, one of each,
// beside binary ones. A tool that fails is an answer that says so; in a stream it is
// the status INTERNAL, whose sentence is the same JSON.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/large.h"
#include "api/reply.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "grpc/reply.h"
#include "http/body.h"
#include "http/problem.h"
#include "payload/json.h"
#include "payload/writer.h"
#include "protobuf/wire.h"
#include "server/server.h"
#include "services/bridge.h"
#include "services/large.h"
#include "services/message.h"

#define TOLD_MOST   ((size_t)1200)       // bytes of a fault's JSON in grpc-message
#define ANSWER_MOST ((size_t)256 * 1024) // and in an answer
#define FORMAT      "binary_format:" // and a parameter's name: a key of the metadata
#define CORRELATION "correlation_id"

// ---- Arguments ------------------------------------------------------------------

// The JSON of a parameter: the bytes themselves, or in a StringValue that was packed.
static struct sp_slice json_of(const struct sp_pb_any *any)
{
    uint32_t number;
    enum sp_wire_type type;
    struct sp_slice inner;
    struct sp_wire wire = sp_wire_of(any->value);
    if (any->value.size != 0 && sp_wire_tag(&wire, &number, &type) && number == 1 &&
        type == SP_WIRE_BYTES && sp_wire_bytes(&wire, &inner) && sp_wire_ends(&wire)) {
        return inner;
    }
    return any->value;
}

static bool is_text(struct sp_slice slice, const char *text)
{
    return slice.size == strlen(text) &&
           (slice.size == 0 || memcmp(slice.data, text, slice.size) == 0);
}

static bool wants_pickle(const struct sp_bridge_execute_tool_request *request)
{
    const size_t size = strlen(FORMAT);
    for (size_t i = 0; i < request->metadata.count; i++) {
        const struct sp_text_to_text *entry = &request->metadata.items[i];
        if (entry->key.size > size && memcmp(entry->key.data, FORMAT, size) == 0 &&
            is_text(entry->value, "pickle")) {
            return true;
        }
    }
    return false;
}

static snakepit_err write_parameter(snakepit_writer *writer,
                                    const struct sp_text_to_pb_any *entry,
                                    snakepit_message *why)
{
    static const struct sp_pb_any nothing;
    char sentence[sizeof why->text];
    const struct sp_slice json =
        json_of(entry->value == NULL ? &nothing : entry->value);
    snakepit_writer_strn(writer, (const char *)entry->key.data, entry->key.size);
    snakepit_err err =
        snakepit_writer_json(writer, (const char *)json.data, json.size, why);
    if (err != SNAKEPIT_OK) {
        (void)snprintf(sentence,
                       sizeof sentence,
                       "the parameter '%.*s' is not JSON: %.700s",
                       entry->key.size < 100 ? (int)entry->key.size : 100,
                       (const char *)entry->key.data,
                       why->text);
        memcpy(why->text, sentence, sizeof sentence);
    }
    return err;
}

static snakepit_err
write_arguments(snakepit_writer *writer,
                const struct sp_bridge_execute_tool_request *request,
                snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    const size_t count = request->parameters.count + request->binary_parameters.count;
    snakepit_writer_map(writer, (uint32_t)count);
    for (size_t i = 0; i < request->parameters.count && err == SNAKEPIT_OK; i++) {
        err = write_parameter(writer, &request->parameters.items[i], why);
    }
    for (size_t i = 0; i < request->binary_parameters.count; i++) {
        const struct sp_text_to_bytes *entry = &request->binary_parameters.items[i];
        snakepit_writer_strn(writer, (const char *)entry->key.data, entry->key.size);
        snakepit_writer_bytes(writer, entry->value.data, entry->value.size);
    }
    return err == SNAKEPIT_OK ? snakepit_writer_explain(writer, why) : err;
}

// Each is bounded by its message; all of them together hold what those of a call may.
static snakepit_err count_arguments(const struct sp_serve_config *config,
                                    const snakepit_writer *writer,
                                    snakepit_message *why)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    return sp_body_count(reader, config->max_values, why);
}

// ---- The message ------------------------------------------------------------------

// Borrows from itself and from the message.
struct asked {
    struct sp_scratch scratch;
    struct sp_bridge_execute_tool_request request;
    snakepit_writer *args; // until they are those of `ask`
    snakepit_err err;      // of the message; `malformed` is not of its values
    bool malformed;
    snakepit_message why;
    struct sp_api_ask ask;
    char pool[SP_PARAM_SIZE];
    char tool[SP_PARAM_SIZE];
};

static snakepit_err read_arguments(struct asked *asked,
                                   const struct sp_serve_config *config)
{
    if (wants_pickle(&asked->request)) {
        (void)snprintf(asked->why.text,
                       sizeof asked->why.text,
                       "pickle is not read: it would run what a client sends; send "
                       "JSON, or bytes that the tool reads");
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    asked->args = snakepit_writer_new();
    snakepit_err err = write_arguments(asked->args, &asked->request, &asked->why);
    return err == SNAKEPIT_OK ? count_arguments(config, asked->args, &asked->why) : err;
}

// Any thread: what takes long, where the message is large.
static void read_message(struct asked *asked,
                         struct sp_slice message,
                         const struct sp_serve_config *config)
{
    asked->scratch.limit = (size_t)config->max_message; // see sp_grpc_decode()
    asked->err = sp_proto_decode(&sp_type_bridge_execute_tool_request,
                                 message,
                                 &asked->scratch,
                                 &asked->request,
                                 &asked->why);
    asked->malformed = asked->err == SNAKEPIT_MALFORMED;
    if (asked->err == SNAKEPIT_OK) {
        asked->err = read_arguments(asked, config);
    }
}

// ---- Asking ---------------------------------------------------------------------

static uint64_t timeout_of(const struct sp_grpc_call *call,
                           const struct sp_bridge_execute_tool_request *request)
{
    const uint64_t most = 86400000;
    uint64_t timeout_ms = call->limited ? call->timeout_ms : 0;
    for (size_t i = 0; i < request->metadata.count; i++) {
        uint64_t number;
        const struct sp_text_to_text *entry = &request->metadata.items[i];
        if (is_text(entry->key, "timeout_ms") &&
            sp_api_number(entry->value, 1, most, &number) &&
            (timeout_ms == 0 || number < timeout_ms)) {
            timeout_ms = number;
        }
    }
    return timeout_ms < most ? timeout_ms : most;
}

static bool fill(struct sp_grpc_call *call, struct asked *asked)
{
    const struct sp_slice session = asked->request.session_id;
    asked->ask.tool = asked->tool;
    asked->ask.args = asked->args;
    asked->args = NULL;
    asked->ask.options.begun_ns = call->begun_ns;
    asked->ask.ends_ns = sp_grpc_ends_ns(call);
    asked->ask.options.timeout_ms = (uint32_t)timeout_of(call, &asked->request);
    return session.size == 0 ||
           sp_api_ask_set_session(call->exchange, &asked->ask, session, "session_id");
}

// False: it was refused. Either way asked_fini() is due.
static bool ask_for(struct sp_grpc_call *call, struct asked *asked)
{
    const struct sp_slice unnamed = {NULL, 0};
    return sp_grpc_is_read(call->exchange, asked->err, asked->malformed, &asked->why) &&
           sp_grpc_pool(call, unnamed, asked->pool) &&
           sp_grpc_text(
               call->exchange, asked->request.tool_name, "tool_name", asked->tool) &&
           sp_api_ask_begin(call->exchange, asked->pool, &asked->ask) &&
           fill(call, asked);
}

static void asked_fini(struct asked *asked)
{
    snakepit_writer_free(asked->args);
    sp_api_ask_fini(&asked->ask);
    sp_scratch_fini(&asked->scratch);
}

// What is done with a call that was read. On the loop.
typedef void ask_fn(struct sp_grpc_call *call, struct asked *asked);

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
    read_message(&large_of(message)->asked, bytes, message->config);
}

static void
read_and_ask(struct sp_grpc_call *call, struct sp_slice message, ask_fn *then)
{
    struct asked asked = {.tool = ""};
    read_message(&asked, message, sp_serve_loop_config(call->exchange->loop));
    then(call, &asked);
    asked_fini(&asked);
}

// ---- Whole answers --------------------------------------------------------------

// In milliseconds, the lower half: what goes with a call until it is answered.
static unsigned clock_ms(void)
{
    return (unsigned)(sp_clock_now() / 1000000);
}

static bool has_insight(const struct sp_exchange *exchange)
{
    return sp_api_shows_tracebacks(exchange);
}

// Bytes are a binary result, everything else is JSON. False: it has none.
static bool write_result(snakepit_answer *answer,
                         struct sp_bridge_execute_tool_response *response,
                         struct sp_pb_any *any)
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_reader reader;
    snakepit_answer_reader(answer, &reader);
    (void)snakepit_reader_next(&reader, &value);
    if (value.kind == SNAKEPIT_BYTES) {
        response->binary_result = (struct sp_slice){
            (const uint8_t *)value.as.bytes.data, value.as.bytes.size};
        return true;
    }
    const char *json = snakepit_answer_json(answer);
    if (json == NULL) {
        return false;
    }
    *any = sp_bridge_any(sp_slice_of_text(json));
    response->result = any;
    return true;
}

static void fail_with(struct sp_exchange *exchange,
                      const snakepit_fault *fault,
                      struct sp_scratch *scratch,
                      struct sp_bridge_execute_tool_response *response)
{
    response->success = false;
    response->error_message =
        sp_bridge_fault(fault, has_insight(exchange), ANSWER_MOST, scratch);
    if (response->error_message.size == 0) {
        response->error_message = sp_slice_of_text(fault->message);
    }
}

static void answer_call(struct sp_exchange *exchange,
                        snakepit_answer *answer,
                        unsigned begun_ms,
                        const char *call)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_execute_tool_response response = {.success = true};
    struct sp_text_to_text entry = {.key = sp_slice_of_text(CORRELATION),
                                    .value = sp_bridge_correlation(exchange)};
    struct sp_pb_any any;
    snakepit_reader reader;
    snakepit_message why;
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    (void)call;
    if (fault->err != SNAKEPIT_OK) {
        fail_with(exchange, fault, &scratch, &response);
    } else if (!write_result(answer, &response, &any)) {
        snakepit_answer_reader(answer, &reader);
        const snakepit_fault none = sp_fault_no_json(&reader, &why);
        fail_with(exchange, &none, &scratch, &response);
    }
    response.execution_time_ms = (int64_t)(clock_ms() - begun_ms);
    response.metadata.items = &entry;
    response.metadata.count = entry.value.size != 0 ? 1 : 0;
    // The answer of ExecuteElixirTool has the same members, but for a binary result.
    sp_grpc_answer(exchange, &sp_type_bridge_execute_tool_response, &response);
    sp_scratch_fini(&scratch);
}

// On a thread of the server: the answer keeps the JSON.
static void
make_large(struct sp_api_result *result, snakepit_answer *answer, unsigned as)
{
    struct sp_bridge_execute_tool_response response;
    struct sp_pb_any any;
    (void)result;
    (void)as;
    (void)write_result(answer, &response, &any);
}

static void send_large(struct sp_exchange *exchange,
                       struct sp_api_result *result,
                       snakepit_answer *answer,
                       unsigned begun_ms,
                       const char *call)
{
    (void)result;
    answer_call(exchange, answer, begun_ms, call);
}

static void submit(struct sp_grpc_call *call, struct asked *asked)
{
    const struct sp_api_form form = {.answer = answer_call,
                                     .make = make_large,
                                     .send = send_large,
                                     .as = clock_ms()};
    if (ask_for(call, asked)) {
        sp_api_submit(call->exchange, &asked->ask, form);
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

void sp_grpc_bridge_execute(struct sp_grpc_call *call, struct sp_slice message)
{
    if (message.size > SP_API_LARGE) {
        sp_grpc_large_begin(call, &submits);
    } else {
        read_and_ask(call, message, submit);
    }
}

// Its request is the beginning of that of ExecuteTool, member for member.
void sp_grpc_bridge_execute_elixir(struct sp_grpc_call *call, struct sp_slice message)
{
    sp_grpc_bridge_execute(call, message);
}

// ---- Streams --------------------------------------------------------------------

// What one stream has of its own.
struct chunks {
    struct sp_api_stream_form form;
    uint64_t sent;
    char tool[SP_PARAM_SIZE];
};

static snakepit_err add(struct sp_buf *out,
                        const struct sp_api_stream_form *form,
                        struct sp_slice data,
                        bool last)
{
    char id[SP_PARAM_SIZE + 24];
    struct chunks *chunks = form->own;
    (void)snprintf(id, sizeof id, "%s-%" PRIu64, chunks->tool, chunks->sent);
    const struct sp_bridge_tool_chunk chunk = {
        .chunk_id = sp_slice_of_text(id), .data = data, .is_final = last};
    snakepit_err err = sp_grpc_append(out, &sp_type_bridge_tool_chunk, &chunk);
    chunks->sent += err == SNAKEPIT_OK;
    return err;
}

static snakepit_err add_chunk(struct sp_buf *out,
                              snakepit_stream *stream,
                              const snakepit_reader *chunk,
                              const struct sp_api_stream_form *form)
{
    const char *json = snakepit_stream_json(stream);
    (void)chunk;
    return json == NULL ? SNAKEPIT_UNSERIALISABLE
                        : add(out, form, sp_slice_of_text(json), false);
}

// The last chunk, empty where the tool has returned nothing.
static snakepit_err add_result(struct sp_buf *out,
                               snakepit_answer *answer,
                               const struct sp_api_stream_form *form)
{
    const char *json = snakepit_answer_json(answer);
    if (json == NULL) {
        return SNAKEPIT_UNSERIALISABLE;
    }
    const struct sp_slice data = sp_slice_of_text(json);
    const struct sp_slice nothing = {NULL, 0};
    return add(out, form, is_text(data, "null") ? nothing : data, true);
}

static snakepit_fault
has_no_json(const snakepit_reader *value, unsigned as, snakepit_message *why)
{
    (void)as;
    return sp_fault_no_json(value, why);
}

// The sentence of a status, with a zero behind it.
static const char *sentence_of(const struct sp_exchange *exchange,
                               const snakepit_fault *fault,
                               struct sp_scratch *scratch)
{
    const struct sp_slice json =
        sp_bridge_fault(fault, has_insight(exchange), TOLD_MOST, scratch);
    return json.size == 0 ? fault->message : (const char *)json.data;
}

static void
end(struct sp_exchange *exchange, const snakepit_fault *fault, uint32_t retry_after_ms)
{
    struct sp_scratch scratch = {.used = 0};
    (void)retry_after_ms;
    if (fault == NULL) {
        sp_grpc_end(exchange, SP_GRPC_OK, NULL);
    } else {
        sp_grpc_end(exchange, SP_GRPC_INTERNAL, sentence_of(exchange, fault, &scratch));
    }
    sp_scratch_fini(&scratch);
}

static void refuse(struct sp_exchange *exchange, const snakepit_fault *fault)
{
    struct sp_scratch scratch = {.used = 0};
    sp_grpc_refuse(exchange, SP_GRPC_INTERNAL, sentence_of(exchange, fault, &scratch));
    sp_scratch_fini(&scratch);
}

static void over(const struct sp_api_stream_form *form)
{
    sp_free(form->own);
}

static const struct sp_api_stream_form stream_form = {.begin = sp_grpc_begin,
                                                      .chunk = add_chunk,
                                                      .unwritable = has_no_json,
                                                      .result = add_result,
                                                      .end = end,
                                                      .refuse = refuse,
                                                      .over = over};

static void open_stream(struct sp_grpc_call *call, struct asked *asked)
{
    struct chunks *chunks;
    if (!ask_for(call, asked)) {
        return;
    }
    chunks = sp_alloc(sizeof *chunks);
    if (chunks == NULL) {
        sp_api_fail(call->exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    chunks->form = stream_form;
    chunks->form.own = chunks;
    memcpy(chunks->tool, asked->tool, sizeof chunks->tool);
    sp_api_stream(call->exchange, &asked->ask, &chunks->form);
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

void sp_grpc_bridge_stream(struct sp_grpc_call *call, struct sp_slice message)
{
    if (message.size > SP_API_LARGE) {
        sp_grpc_large_begin(call, &opens);
    } else {
        read_and_ask(call, message, open_stream);
    }
}
