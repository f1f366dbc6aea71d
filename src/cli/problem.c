// SPDX-License-Identifier: MIT
// A document comes from a peer: what is missing is empty, what is of another kind is
// missing.
#include "cli/problem.h"

#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "cli/value.h"
#include "http/problem.h"

// A copy with a zero behind it; a zero within ends nothing, and is a space.
static const char *
copy(struct sp_cli_problem *problem, size_t index, snakepit_span span)
{
    char *text = sp_alloc(span.size + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < span.size; i++) {
        const char byte = ((const char *)span.data)[i];
        text[i] = (char)(byte == '\0' ? ' ' : byte);
    }
    text[span.size] = '\0';
    problem->texts[index] = text;
    return text;
}

static snakepit_stop stop_of(snakepit_span name)
{
    for (int stop = SNAKEPIT_STOP_NONE; stop <= SNAKEPIT_STOP_KILLED; stop++) {
        if (sp_cli_span_is(name, snakepit_stop_name((snakepit_stop)stop))) {
            return (snakepit_stop)stop;
        }
    }
    return SNAKEPIT_STOP_NONE;
}

static snakepit_err read_texts(struct sp_cli_problem *problem,
                               const snakepit_reader *error)
{
    snakepit_fault *fault = &problem->fault;
    const struct {
        const char *key;
        const char **text;
    } rows[SP_CLI_FAULT_TEXTS] = {{"message", &fault->message},
                                  {"type", &fault->type},
                                  {"traceback", &fault->traceback},
                                  {"arguments", &fault->arguments},
                                  {"stage", &fault->stage},
                                  {"cause", &fault->cause},
                                  {"last_output", &fault->last_output},
                                  {"crash_stack", &fault->crash_stack},
                                  {"late_stack", &fault->late_stack}};
    for (size_t i = 0; i < SP_CLI_FAULT_TEXTS; i++) {
        *rows[i].text = copy(problem, i, sp_cli_value_text(error, rows[i].key));
        if (*rows[i].text == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err read_error(struct sp_cli_problem *problem,
                               const snakepit_reader *error)
{
    snakepit_fault *fault = &problem->fault;
    const snakepit_span name = sp_cli_value_text(error, "name");
    snakepit_err err = read_texts(problem, error);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    fault->err = sp_err_named((struct sp_slice){(const uint8_t *)name.data, name.size});
    fault->worker = sp_cli_value_number(error, "worker");
    fault->stop = stop_of(sp_cli_value_text(error, "stop"));
    fault->tool_runs = sp_cli_value_truth(error, "tool_runs");
    fault->late_ms = (uint32_t)sp_cli_value_number(error, "late_ms");
    if (fault->err == SNAKEPIT_OK) {
        fault->err = SNAKEPIT_UNSUPPORTED;
        (void)snprintf(problem->sentence,
                       sizeof problem->sentence,
                       "%.*s, an error that this version does not know: %.150s",
                       name.size > 64 ? 64 : (int)name.size,
                       (const char *)name.data,
                       fault->message);
        fault->message = problem->sentence;
    }
    return SNAKEPIT_OK;
}

static snakepit_err read_detail(struct sp_cli_problem *problem,
                                const snakepit_reader *document)
{
    const char *detail = copy(problem, 0, sp_cli_value_text(document, "detail"));
    if (detail == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    problem->of_http = true;
    problem->fault = sp_fault_of(SNAKEPIT_INVALID_ARGUMENT, detail);
    return SNAKEPIT_OK;
}

static snakepit_err read_document(struct sp_cli_problem *problem,
                                  const snakepit_reader *document)
{
    snakepit_reader error;
    snakepit_value value;
    const uint64_t status = sp_cli_value_number(document, "status");
    if (sp_cli_value_text(document, "type").size == 0 || status < 100 || status > 599) {
        return SNAKEPIT_MALFORMED;
    }
    problem->status = (unsigned)status;
    if (!sp_cli_value_find(document, "error", &error)) {
        return read_detail(problem, document);
    }
    snakepit_reader look = error;
    if (!sp_cli_value_next(&look, SNAKEPIT_MAP, &value) ||
        sp_cli_value_text(&error, "name").size == 0) {
        return SNAKEPIT_MALFORMED;
    }
    return read_error(problem, &error);
}

snakepit_err sp_cli_problem_read(struct sp_slice document,
                                 struct sp_cli_problem *problem)
{
    snakepit_reader reader;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *problem = (struct sp_cli_problem){.status = 0};
    snakepit_err err = sp_cli_value_read(document, writer, &reader);
    if (err == SNAKEPIT_OK) {
        err = read_document(problem, &reader);
    }
    snakepit_writer_free(writer);
    if (err != SNAKEPIT_OK) {
        sp_cli_problem_fini(problem);
    }
    return err;
}

void sp_cli_problem_fini(struct sp_cli_problem *problem)
{
    for (size_t i = 0; i < SP_CLI_FAULT_TEXTS; i++) {
        sp_free(problem->texts[i]);
    }
    *problem = (struct sp_cli_problem){.status = 0};
}
