// SPDX-License-Identifier: MIT
// Who answers what a running call asks: the sessions, or a function of the program's.
// What comes from a worker is checked to its last byte before a function sees it.
#include "pool/question.h"

#include <stdio.h>
#include <string.h>

#include "base/callback.h"
#include "base/clock.h"
#include "base/thread.h"
#include "payload/reader.h"
#include "payload/writer.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "session/tool.h"
#include "telemetry/spans.h"

// [name, arguments] or [name, arguments, traceparent], taken apart.
struct asked {
    uint32_t parts;
    struct sp_slice name;
    char text[SP_TOOL_NAME_MAX + 1]; // of the name, terminated
    snakepit_reader arguments;       // at one whole map
};

// ---- Reading ------------------------------------------------------------------

static snakepit_err read_name(snakepit_reader *reader, struct asked *asked)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count < 2 || value.as.count > 3) {
        return SNAKEPIT_MALFORMED;
    }
    asked->parts = value.as.count;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT || value.as.text.size == 0 ||
        value.as.text.size > SP_TOOL_NAME_MAX ||
        memchr(value.as.text.data, 0, value.as.text.size) != NULL) {
        return SNAKEPIT_MALFORMED;
    }
    asked->name =
        (struct sp_slice){(const uint8_t *)value.as.text.data, value.as.text.size};
    memcpy(asked->text, asked->name.data, asked->name.size);
    asked->text[asked->name.size] = 0;
    return SNAKEPIT_OK;
}

static bool is_for_sessions(const struct asked *asked)
{
    return strncmp(asked->text, SP_SESSION_TOOLS, strlen(SP_SESSION_TOOLS)) == 0;
}

// Which span of the call's trace asks; without a word of it, the call itself.
static bool
read_span(snakepit_reader *end, const struct asked *asked, struct sp_question *question)
{
    snakepit_value value;
    struct sp_trace_context within;
    if (asked->parts == 2) {
        return true;
    }
    if (snakepit_reader_next(end, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    const struct sp_slice text = {(const uint8_t *)value.as.text.data,
                                  value.as.text.size};
    if (sp_trace_is_one(&question->trace) && sp_traceparent_read(text, &within) &&
        memcmp(within.trace, question->trace.trace, sizeof within.trace) == 0) {
        memcpy(question->trace.span, within.span, sizeof within.span);
    }
    return true;
}

// MALFORMED: it is not what a bridge asks.
static snakepit_err read_question(struct sp_question *question, struct asked *asked)
{
    snakepit_value value;
    sp_reader_init(&asked->arguments, question->body, question->memory);
    snakepit_err err = read_name(&asked->arguments, asked);
    snakepit_reader end = asked->arguments;
    snakepit_reader at = asked->arguments;
    if (err == SNAKEPIT_OK && snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_MAP &&
        sp_reader_skip_around(&end, is_for_sessions(asked) ? 1 : 0) == SNAKEPIT_OK &&
        read_span(&end, asked, question) && end.at == end.end) {
        return SNAKEPIT_OK;
    }
    return SNAKEPIT_MALFORMED;
}

// ---- Answers ------------------------------------------------------------------

static uint32_t remaining_ms(uint64_t deadline)
{
    if (deadline == SP_NEVER) {
        return UINT32_MAX;
    }
    uint64_t now = sp_clock_now();
    uint64_t left = deadline > now ? (deadline - now) / SP_NS_PER_MS : 0;
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX - 1;
}

struct texts {
    char session[SP_SESSION_MAX + 1];
    char traceparent[SP_TRACEPARENT_SIZE + 1];
    char tracestate[SP_TRACESTATE_MAX + 1];
};

static void terminate(char *room, struct sp_slice text)
{
    memcpy(room, text.data, text.size);
    room[text.size] = 0;
}

static void write_texts(const struct sp_question *question, struct texts *texts)
{
    terminate(texts->session, question->session);
    texts->traceparent[0] = 0;
    texts->tracestate[0] = 0;
    if (sp_trace_is_one(&question->trace)) {
        sp_traceparent_write(&question->trace, (uint8_t *)texts->traceparent);
        texts->traceparent[SP_TRACEPARENT_SIZE] = 0;
        terminate(texts->tracestate, question->tracestate);
    }
}

// The span that a tool of the host runs in, below the one that asks; NULL: none.
static struct sp_span *
begin_span(const snakepit *pit, struct sp_question *question, const struct asked *asked)
{
    uint8_t parent[8];
    char name[SP_TOOL_NAME_MAX + sizeof "host tool "];
    if (pit->spans == NULL || !sp_trace_is_one(&question->trace) ||
        !sp_trace_is_sampled(&question->trace)) {
        return NULL;
    }
    memcpy(parent, question->trace.span, sizeof parent);
    sp_trace_new_span(question->trace.span);
    struct sp_span *span = sp_span_new(&question->trace, parent);
    (void)snprintf(name, sizeof name, "host tool %s", asked->text);
    sp_span_set_name(span, sp_slice_of_text(name));
    sp_span_add_text(span, "snakepit.pool", sp_slice_of_text(question->pool));
    sp_span_add_text(span, "snakepit.host_tool", asked->name);
    sp_span_set_tracestate(span, question->tracestate);
    sp_span_begin_now(span);
    return span;
}

static void
end_span(const snakepit *pit, struct sp_span *span, snakepit_err err, const char *why)
{
    if (span == NULL) {
        return;
    }
    sp_span_end_now(span);
    if (err != SNAKEPIT_OK) {
        span->told.err = err;
        sp_span_add_text(span, "error.type", sp_slice_of_text(snakepit_err_name(err)));
        sp_span_set_message(span, why);
    }
    sp_span_end(pit->spans, span);
}

static snakepit_err run(const struct sp_host_tool_spec *spec,
                        struct sp_question *question,
                        struct asked *asked)
{
    struct texts texts;
    write_texts(question, &texts);
    const snakepit_tool_info info = {
        .size = sizeof info,
        .name = asked->text,
        .session_id = texts.session,
        .pool = question->pool,
        .call = question->call,
        .worker = question->worker,
        .remaining_ms = remaining_ms(question->deadline),
        .traceparent = texts.traceparent,
        .tracestate = texts.tracestate,
    };
    SP_CALLBACK("a tool of the host");
    snakepit_err err = spec->function(
        spec->user, &info, &asked->arguments, question->result, &question->why);
    SP_CALLBACK_RETURNED;
    question->why.text[sizeof question->why.text - 1] = 0;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (question->result->buf.size == 0 && question->result->err == SNAKEPIT_OK) {
        snakepit_writer_nil(question->result);
    }
    err = snakepit_writer_error(question->result);
    if (err != SNAKEPIT_OK) {
        snakepit_message wrong;
        (void)snakepit_writer_explain(question->result, &wrong);
        return sp_refuse(
            &question->why, err, "the result that it wrote: %.960s", wrong.text);
    }
    return err;
}

static snakepit_err
run_registered(snakepit *pit, struct sp_question *question, struct asked *asked)
{
    struct sp_host_tool_spec spec;
    struct sp_host_tool *tool =
        sp_host_tools_use(&pit->tools, question->session, asked->name, &spec);
    if (tool == NULL) {
        question->type = "UnknownHostTool";
        (void)snprintf(question->why.text,
                       sizeof question->why.text,
                       "the host has no tool \"%s\"",
                       asked->text);
        size_t size = strlen(question->why.text);
        sp_host_tools_hint(&pit->tools, question->session, asked->name, &question->why);
        if (strlen(question->why.text) == size) {
            (void)snprintf(question->why.text + size,
                           sizeof question->why.text - size,
                           "; its program registers them by snakepit_tool_register()");
        }
        return SNAKEPIT_UNKNOWN_TOOL;
    }
    struct sp_span *span = begin_span(pit, question, asked);
    snakepit_err err = run(&spec, question, asked);
    end_span(pit, span, err, question->why.text);
    sp_host_tools_release(&pit->tools, tool);
    return err;
}

static snakepit_err
ask_session(snakepit *pit, struct sp_question *question, struct asked *asked)
{
    const struct sp_session_question text = {
        .operation = asked->text + strlen(SP_SESSION_TOOLS),
        .session = question->session,
        .arguments = asked->arguments,
    };
    return sp_session_tool(&pit->sessions, &text, question->result, &question->why);
}

snakepit_err sp_pit_question(void *user, struct sp_question *question)
{
    snakepit *pit = user;
    struct asked asked;
    if (read_question(question, &asked) != SNAKEPIT_OK) {
        (void)snprintf(question->why.text,
                       sizeof question->why.text,
                       "a question is [name, arguments], whole and by name");
        return SNAKEPIT_MALFORMED;
    }
    if (is_for_sessions(&asked)) {
        return ask_session(pit, question, &asked);
    }
    if (question->relays) {
        return SNAKEPIT_AGAIN;
    }
    if (strcmp(asked.text, SP_LIST_OF_TOOLS) == 0) {
        sp_host_tools_list(&pit->tools, question->session, question->result);
        return SNAKEPIT_OK;
    }
    return run_registered(pit, question, &asked);
}

// ---- Public functions ---------------------------------------------------------

static bool is_reserved(const char *name)
{
    return strncmp(name, SP_RESERVED_TOOLS, strlen(SP_RESERVED_TOOLS)) == 0;
}

// Name and session of a tool; no session is all of them.
static snakepit_err read_place(const char *name,
                               const char *session_id,
                               struct sp_host_tool_spec *spec,
                               snakepit_message *why)
{
    spec->session = (struct sp_slice){(const uint8_t *)"", 0};
    snakepit_err err = sp_refuse_no_name("the tool's name", name, &spec->name, why);
    if (err == SNAKEPIT_OK && session_id != NULL && session_id[0] != '\0') {
        err =
            sp_refuse_no_name("the tool's session_id", session_id, &spec->session, why);
    }
    return err;
}

static snakepit_err check_tool(const snakepit *pit,
                               const char *name,
                               const snakepit_tool_options *options,
                               struct sp_host_tool_spec *spec,
                               snakepit_message *why)
{
    const snakepit_err bad = SNAKEPIT_INVALID_ARGUMENT;
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err == SNAKEPIT_OK) {
        err = read_place(name, options == NULL ? NULL : options->session_id, spec, why);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (is_reserved(name)) {
        return sp_refuse(why,
                         bad,
                         "the tool's name \"%s\" begins with \"" SP_RESERVED_TOOLS
                         "\", as those of the library do; choose another one",
                         name);
    }
    if (spec->function == NULL) {
        return sp_refuse(
            why, bad, "the function of tool \"%s\" is NULL; give one", name);
    }
    return SNAKEPIT_OK;
}

// The tools of a session end with it, wherever that is.
static snakepit_err use_session(snakepit *pit, struct sp_slice session)
{
    if (sp_pit_is_connected(pit)) {
        sp_daemon_follow_sessions(pit->daemon);
        return SNAKEPIT_OK;
    }
    return sp_sessions_use(&pit->sessions, session);
}

static snakepit_err
add_tool(snakepit *pit, const struct sp_host_tool_spec *spec, snakepit_message *why)
{
    int size = (int)spec->session.size;
    const char *session = (const char *)spec->session.data;
    snakepit_err err = SNAKEPIT_OK;
    if (size > 0) {
        err = use_session(pit, spec->session);
    }
    if (err != SNAKEPIT_OK) {
        return sp_refuse(why,
                         err,
                         "session \"%.*s\" cannot begin: %s",
                         size,
                         session,
                         snakepit_err_text(err));
    }
    err = sp_host_tools_add(&pit->tools, spec);
    if (err == SNAKEPIT_INVALID_ARGUMENT) {
        return sp_refuse(why,
                         err,
                         "there is a tool \"%s\" of %s%.*s already; choose another "
                         "name, or take that one away by snakepit_tool_unregister()",
                         (const char *)spec->name.data,
                         size > 0 ? "session " : "all sessions",
                         size,
                         session);
    }
    return sp_refuse(why, err, "%s", err == SNAKEPIT_OK ? "" : snakepit_err_text(err));
}

snakepit_err snakepit_tool_register(snakepit *pit,
                                    const char *name,
                                    snakepit_tool_fn *function,
                                    void *user,
                                    const snakepit_tool_options *options)
{
    SP_UNCANCELLED;
    snakepit_tool_options room;
    const char *wrong;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    const char *description = options == NULL ? NULL : options->description;
    snakepit_message *why = options == NULL ? NULL : options->why;
    struct sp_host_tool_spec spec = {.description =
                                         description == NULL ? "" : description,
                                     .function = function,
                                     .user = user};
    if (wrong != NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_err err = check_tool(pit, name, options, &spec, why);
    return err == SNAKEPIT_OK ? add_tool(pit, &spec, why) : err;
}

snakepit_err
snakepit_tool_unregister(snakepit *pit, const char *name, const char *session_id)
{
    SP_UNCANCELLED;
    struct sp_host_tool_spec spec;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err == SNAKEPIT_OK) {
        err = read_place(name, session_id, &spec, NULL);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    // A tool that waited for itself, or two for each other, would wait for ever.
    return sp_host_tools_remove(
        &pit->tools, spec.session, spec.name, !sp_question_is_open());
}
