// SPDX-License-Identifier: MIT
// Who answers what a running call asks: the sessions, or a function of the program's.
// What comes from a worker is checked to its last byte before a function sees it.
#include "pool/question.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "payload/reader.h"
#include "payload/writer.h"
#include "pit/pit.h"
#include "pool/session_tool.h"

// [name, arguments], taken apart.
struct asked {
    struct sp_slice name;
    char text[SP_TOOL_NAME_MAX + 1]; // of the name, terminated
    snakepit_reader arguments;       // at one whole map
};

// ---- Reading ------------------------------------------------------------------

static snakepit_err read_name(snakepit_reader *reader, struct asked *asked)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count != 2 ||
        snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
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

// MALFORMED: it is not what a bridge asks.
static snakepit_err read_question(const struct sp_question *question,
                                  struct asked *asked)
{
    snakepit_value value;
    sp_reader_init(&asked->arguments, question->body, question->memory);
    snakepit_err err = read_name(&asked->arguments, asked);
    snakepit_reader end = asked->arguments;
    snakepit_reader at = asked->arguments;
    if (err == SNAKEPIT_OK && snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
        value.kind == SNAKEPIT_MAP && snakepit_reader_skip(&end) == SNAKEPIT_OK &&
        end.at == end.end) {
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

static snakepit_err run(const struct sp_host_tool_spec *spec,
                        struct sp_question *question,
                        struct asked *asked)
{
    char session[SP_SESSION_MAX + 1];
    memcpy(session, question->session.data, question->session.size);
    session[question->session.size] = 0;
    const snakepit_tool_info info = {
        .size = sizeof info,
        .name = asked->text,
        .session_id = session,
        .pool = question->pool,
        .call = question->call,
        .worker = question->worker,
        .remaining_ms = remaining_ms(question->deadline),
    };
    snakepit_err err = spec->function(
        spec->user, &info, &asked->arguments, question->result, &question->why);
    question->why.text[sizeof question->why.text - 1] = 0;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (question->result->buf.size == 0 && question->result->err == SNAKEPIT_OK) {
        snakepit_writer_nil(question->result);
    }
    err = snakepit_writer_error(question->result);
    if (err != SNAKEPIT_OK) {
        (void)snprintf(question->why.text,
                       sizeof question->why.text,
                       "what it wrote as its result is not one complete value: %s",
                       snakepit_err_text(err));
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
    snakepit_err err = run(&spec, question, asked);
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
    if (strncmp(asked.text, SP_SESSION_TOOLS, strlen(SP_SESSION_TOOLS)) == 0) {
        return ask_session(pit, question, &asked);
    }
    if (strcmp(asked.text, SP_LIST_OF_TOOLS) == 0) {
        sp_host_tools_list(&pit->tools, question->session, question->result);
        return SNAKEPIT_OK;
    }
    return run_registered(pit, question, &asked);
}

// ---- Public functions ---------------------------------------------------------

static bool is_text(const char *text, size_t least, size_t most, struct sp_slice *slice)
{
    size_t size = text == NULL ? 0 : strnlen(text, most + 1);
    *slice = (struct sp_slice){(const uint8_t *)(text == NULL ? "" : text), size};
    return size >= least && size <= most;
}

static bool is_reserved(const char *name)
{
    return strncmp(name, SP_RESERVED_TOOLS, strlen(SP_RESERVED_TOOLS)) == 0;
}

snakepit_err snakepit_tool_register(snakepit *pit,
                                    const char *name,
                                    snakepit_tool_fn *function,
                                    void *user,
                                    const snakepit_tool_options *options)
{
    snakepit_tool_options room;
    const char *wrong;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    const char *session = options == NULL ? NULL : options->session_id;
    const char *description = options == NULL ? NULL : options->description;
    struct sp_host_tool_spec spec = {.description =
                                         description == NULL ? "" : description,
                                     .function = function,
                                     .user = user};
    if (pit == NULL || function == NULL || wrong != NULL ||
        !is_text(name, 1, SP_TOOL_NAME_MAX, &spec.name) || is_reserved(name) ||
        !is_text(session, 0, SP_SESSION_MAX, &spec.session)) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (spec.session.size > 0) {
        snakepit_err err = sp_sessions_use(&pit->sessions, spec.session);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    return sp_host_tools_add(&pit->tools, &spec);
}

snakepit_err
snakepit_tool_unregister(snakepit *pit, const char *name, const char *session_id)
{
    struct sp_slice session;
    struct sp_slice tool;
    if (pit == NULL || !is_text(name, 1, SP_TOOL_NAME_MAX, &tool) ||
        !is_text(session_id, 0, SP_SESSION_MAX, &session)) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    // A tool that waited for itself, or two for each other, would wait for ever.
    return sp_host_tools_remove(&pit->tools, session, tool, !sp_question_is_open());
}
