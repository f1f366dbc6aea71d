// SPDX-License-Identifier: MIT
#include "api/ask.h"

#include <stdio.h>
#include <string.h>

#include "api/call_names.h"
#include "api/gate.h"
#include "api/reply.h"
#include "base/clock.h"
#include "http/body.h"
#include "payload/writer.h"
#include "server/server.h"

const char *sp_api_pool_name(const char *name)
{
    return strcmp(name, "default") == 0 ? NULL : name;
}

bool sp_api_number(struct sp_slice text,
                   uint64_t least,
                   uint64_t most,
                   uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        const unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (text.size == 0 || value < least || value > most) {
        return false;
    }
    *number = value;
    return true;
}

// ---- Fields ---------------------------------------------------------------------

static bool
refuse_field(struct sp_exchange *exchange, const char *what, const char *wanted)
{
    char sentence[192];
    (void)snprintf(sentence, sizeof sentence, "%s is not %s", what, wanted);
    sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, sentence);
    return false;
}

static bool read_timeout(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    uint64_t number = 0;
    const struct sp_slice value =
        sp_request_field(&exchange->request, "snakepit-timeout-ms");
    if (value.data != NULL && !sp_api_number(value, 1, SP_API_TIMEOUT_MOST, &number)) {
        return refuse_field(
            exchange, "Snakepit-Timeout-Ms", "a number of 1 to 86400000");
    }
    ask->options.timeout_ms = (uint32_t)number;
    return true;
}

static bool refuse_priority(struct sp_exchange *exchange, const char *what)
{
    return refuse_field(exchange, what, "a number of 0 to 7");
}

bool sp_api_ask_set_priority(struct sp_exchange *exchange,
                             struct sp_api_ask *ask,
                             uint64_t priority,
                             const char *what)
{
    if (priority > SNAKEPIT_MAX_PRIORITY) {
        return refuse_priority(exchange, what);
    }
    ask->options.priority = (uint32_t)priority;
    return true;
}

static bool read_priority(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    uint64_t number = 0;
    static const char what[] = "Snakepit-Priority";
    const struct sp_slice value =
        sp_request_field(&exchange->request, "snakepit-priority");
    if (value.data != NULL && !sp_api_number(value, 0, UINT64_MAX, &number)) {
        return refuse_priority(exchange, what);
    }
    return sp_api_ask_set_priority(exchange, ask, number, what);
}

bool sp_api_ask_set_session(struct sp_exchange *exchange,
                            struct sp_api_ask *ask,
                            struct sp_slice session,
                            const char *what)
{
    if (session.size == 0 || session.size >= sizeof ask->session ||
        memchr(session.data, '\0', session.size) != NULL) {
        return refuse_field(exchange, what, "of 1 to 255 bytes, none of them zero");
    }
    char named[sizeof ask->session];
    memcpy(named, session.data, session.size);
    named[session.size] = '\0';
    const char *name = sp_api_session_name(exchange, named, ask->session);
    if (name == named) {
        memcpy(ask->session, named, session.size + 1);
    }
    ask->options.session_id = ask->session;
    return name != NULL;
}

snakepit_err sp_api_ask_note_session(struct sp_api_ask *ask,
                                     struct sp_slice session,
                                     snakepit_message *why)
{
    if (session.size == 0 || session.size >= sizeof ask->named ||
        memchr(session.data, '\0', session.size) != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "session is not of 1 to 255 bytes, none of them zero");
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    memcpy(ask->named, session.data, session.size);
    ask->named[session.size] = '\0';
    ask->names_session = true;
    return SNAKEPIT_OK;
}

bool sp_api_ask_take_session(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    return !ask->names_session ||
           sp_api_ask_set_session(
               exchange, ask, sp_slice_of_text(ask->named), "session");
}

static bool read_session(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    const struct sp_slice value =
        sp_request_field(&exchange->request, "snakepit-session");
    return value.data == NULL ||
           sp_api_ask_set_session(exchange, ask, value, "Snakepit-Session");
}

static bool is_text(struct sp_slice value, const char *text)
{
    return value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

static bool read_idempotent(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    const struct sp_slice value =
        sp_request_field(&exchange->request, "snakepit-idempotent");
    if (value.data == NULL || is_text(value, "false")) {
        return true;
    }
    if (!is_text(value, "true")) {
        return refuse_field(exchange, "Snakepit-Idempotent", "one of true and false");
    }
    ask->options.idempotent = true;
    return true;
}

bool sp_api_ask_set_name(struct sp_exchange *exchange,
                         struct sp_api_ask *ask,
                         struct sp_slice name,
                         const char *what)
{
    if (!sp_call_name_is_valid(name)) {
        return refuse_field(exchange,
                            what,
                            "of 1 to 64 letters, digits, '-', '_' and '.', not all of "
                            "them digits");
    }
    ask->name = name;
    return true;
}

static bool read_name(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    const struct sp_slice value =
        sp_request_field(&exchange->request, "snakepit-call-id");
    return value.data == NULL ||
           sp_api_ask_set_name(exchange, ask, value, "Snakepit-Call-Id");
}

void sp_api_ask_set_trace(struct sp_api_ask *ask,
                          const struct sp_trace_context *trace,
                          struct sp_slice state)
{
    memcpy(ask->trace.trace_id, trace->trace, sizeof trace->trace);
    memcpy(ask->trace.span_id, trace->span, sizeof trace->span);
    ask->trace.flags = trace->flags;
    ask->options.trace = &ask->trace;
    ask->options.tracestate = NULL;
    if (sp_tracestate_is_sound(state)) {
        memcpy(ask->tracestate, state.data, state.size);
        ask->tracestate[state.size] = '\0';
        ask->options.tracestate = ask->tracestate;
    }
}

// A malformed one counts as none, as W3C Trace Context wants it; so does one of
// several.
static void read_trace(const struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    struct sp_trace_context trace;
    if (sp_traceparent_read(sp_request_only_field(&exchange->request, "traceparent"),
                            &trace)) {
        sp_api_ask_set_trace(
            ask, &trace, sp_request_only_field(&exchange->request, "tracestate"));
    }
}

// ---- Bodies ---------------------------------------------------------------------

struct sp_body sp_api_body_of(const struct sp_exchange *exchange)
{
    return (struct sp_body){.bytes = exchange->request.body,
                            .media = sp_media_of_body(&exchange->request),
                            .most_values =
                                sp_serve_loop_config(exchange->loop)->max_values};
}

static snakepit_err read_body(const struct sp_exchange *exchange,
                              snakepit_writer *writer,
                              snakepit_message *why)
{
    const struct sp_body body = sp_api_body_of(exchange);
    return writer == NULL ? SNAKEPIT_NO_MEMORY : sp_body_read(&body, writer, why);
}

void sp_api_refuse_body(struct sp_exchange *exchange,
                        snakepit_err err,
                        const char *what,
                        const snakepit_message *why)
{
    char sentence[sizeof why->text + 64];
    (void)snprintf(sentence, sizeof sentence, "%s: %s", what, why->text);
    sp_api_fail(exchange, err, why->text[0] == '\0' ? NULL : sentence);
}

snakepit_writer *sp_api_read_body(struct sp_exchange *exchange, const char *what)
{
    snakepit_message why = {{0}};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err = read_body(exchange, writer, &why);
    if (err == SNAKEPIT_OK) {
        return writer;
    }
    snakepit_writer_free(writer);
    sp_api_refuse_body(exchange, err, what, &why);
    return NULL;
}

snakepit_err sp_api_holds_args(const snakepit_writer *args, snakepit_message *why)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_reader_init(&reader, args->buf.data, args->buf.size);
    if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_MAP) {
        return SNAKEPIT_OK;
    }
    (void)snprintf(why->text,
                   sizeof why->text,
                   "the body must be a JSON object, or in MessagePack a map");
    return SNAKEPIT_INVALID_ARGUMENT;
}

static bool read_arguments(struct sp_exchange *exchange, struct sp_api_ask *ask)
{
    if (exchange->request.body.size == 0) {
        return true;
    }
    ask->args = sp_api_read_body(exchange, SP_API_ARGUMENTS);
    if (ask->args == NULL) {
        return false;
    }
    snakepit_err err = sp_api_holds_args(ask->args, &ask->why);
    if (err != SNAKEPIT_OK) {
        sp_api_refuse_body(exchange, err, SP_API_ARGUMENTS, &ask->why);
    }
    return err == SNAKEPIT_OK;
}

// ---- Whole ----------------------------------------------------------------------

// Makes the options; `begun_ns` is now: reading the rest counts.
static void
init(const struct sp_exchange *exchange, const char *pool, struct sp_api_ask *ask)
{
    *ask = (struct sp_api_ask){
        .options = {.size = sizeof ask->options,
                    .pool = sp_api_pool_name(pool),
                    .queue = sp_serve_loop_queue(exchange->loop),
                    .begun_ns = sp_clock_now()},
    };
    ask->options.why = &ask->why;
}

bool sp_api_ask_begin(struct sp_exchange *exchange,
                      const char *pool,
                      struct sp_api_ask *ask)
{
    init(exchange, pool, ask);
    read_trace(exchange, ask);
    return read_timeout(exchange, ask) && read_priority(exchange, ask) &&
           read_session(exchange, ask) && read_idempotent(exchange, ask) &&
           read_name(exchange, ask);
}

bool sp_api_ask_read(struct sp_exchange *exchange,
                     const struct sp_params *params,
                     struct sp_api_ask *ask)
{
    const bool begun = sp_api_ask_begin(exchange, params->of[0], ask);
    ask->tool = params->of[1];
    return begun && read_arguments(exchange, ask);
}

bool sp_api_ask_about_pool(struct sp_exchange *exchange,
                           const char *pool,
                           struct sp_api_ask *ask)
{
    init(exchange, pool, ask);
    return read_timeout(exchange, ask) && read_name(exchange, ask);
}

void sp_api_ask_fini(struct sp_api_ask *ask)
{
    snakepit_writer_free(ask->args);
}
