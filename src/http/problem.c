// SPDX-License-Identifier: MIT
// Built as MessagePack, for the payload's own writer makes valid JSON of any text,
// whatever bytes an adapter put into it.
#include "http/problem.h"

#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "payload/json.h"
#include "payload/pairs.h"
#include "payload/writer.h"

#define FAULT_PAIRS    16u
#define DOCUMENT_PAIRS 5u
#define STATUS_PAIRS   4u

struct status {
    snakepit_err err;
    unsigned status;
};

#define ERROR_ROW(name, number, grpc, http, retryable, text) {SNAKEPIT_##name, http},
static const struct status statuses[] = {SNAKEPIT_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

unsigned sp_http_status(snakepit_err err)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].err == err) {
            return statuses[i].status;
        }
    }
    return 500;
}

snakepit_err sp_err_named(struct sp_slice name)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        const char *known = snakepit_err_name(statuses[i].err);
        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0) {
            return statuses[i].err;
        }
    }
    return SNAKEPIT_OK;
}

const char *sp_http_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status) {
            return rows[i].phrase;
        }
    }
    return "";
}

snakepit_fault sp_fault_of(snakepit_err err, const char *message)
{
    const bool silent = message == NULL || message[0] == '\0';
    return (snakepit_fault){.err = err,
                            .message = silent ? snakepit_err_text(err) : message,
                            .type = "",
                            .traceback = "",
                            .stage = "",
                            .cause = "",
                            .last_output = "",
                            .arguments = "",
                            .crash_stack = "",
                            .late_stack = ""};
}

snakepit_fault sp_fault_no_json(const snakepit_reader *value, snakepit_message *why)
{
    snakepit_err err = snakepit_reader_explain_json(value, why);
    if (err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY) {
        err = SNAKEPIT_NO_MEMORY; // there was none a moment ago
        (void)snprintf(
            why->text, sizeof why->text, "the result does not fit into memory");
    }
    if (err == SNAKEPIT_END) {
        return sp_fault_of(SNAKEPIT_PROTOCOL, "the worker answered without a value");
    }
    return sp_fault_of(err, why->text);
}

void sp_fault_write(snakepit_writer *writer, const snakepit_fault *fault, bool insight)
{
    snakepit_writer_map(writer, FAULT_PAIRS);
    sp_pair_text(writer, "name", snakepit_err_name(fault->err));
    sp_pair_number(writer, "number", (uint64_t)fault->err);
    sp_pair_bool(writer, "retryable", snakepit_err_retryable(fault->err));
    sp_pair_text(writer, "message", fault->message);
    sp_pair_text(writer, "type", fault->type);
    sp_pair_text(writer, "traceback", insight ? fault->traceback : "");
    sp_pair_text(writer, "arguments", fault->arguments);
    sp_pair_text(writer, "stage", fault->stage);
    sp_pair_text(writer, "cause", fault->cause);
    sp_pair_text(writer, "last_output", insight ? fault->last_output : "");
    sp_pair_text(writer, "crash_stack", insight ? fault->crash_stack : "");
    sp_pair_text(writer, "late_stack", insight ? fault->late_stack : "");
    sp_pair_number(writer, "worker", fault->worker);
    sp_pair_text(writer, "stop", snakepit_stop_name(fault->stop));
    sp_pair_bool(writer, "tool_runs", fault->tool_runs);
    sp_pair_number(writer, "late_ms", fault->late_ms);
}

// Of all documents: the four members of the RFC, `count` pairs in all.
static void begin(snakepit_writer *writer,
                  uint32_t count,
                  const char *type,
                  const char *title,
                  unsigned status)
{
    snakepit_writer_map(writer, count);
    sp_pair_text(writer, "type", type);
    sp_pair_text(writer, "title", title);
    sp_pair_number(writer, "status", status);
}

// The sentence with Python's class in front, unless it begins with that.
static void write_detail(snakepit_writer *writer, const snakepit_fault *fault)
{
    const size_t size = strlen(fault->type);
    struct sp_buf sentence = {0};
    if (size == 0 || strncmp(fault->message, fault->type, size) == 0) {
        sp_pair_text(writer, "detail", fault->message);
        return;
    }
    const bool silent = fault->message[0] == '\0';
    snakepit_err err = sp_buf_printf(
        &sentence, "%s%s%s", fault->type, silent ? "" : ": ", fault->message);
    if (err != SNAKEPIT_OK) {
        sp_writer_fail(writer, err);
    }
    sp_pair_text(writer, "detail", (const char *)sentence.data);
    sp_buf_fini(&sentence);
}

snakepit_err
sp_problem_of_fault(struct sp_buf *out, const snakepit_fault *fault, bool insight)
{
    char type[64];
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (void)snprintf(type, sizeof type, "/problems/%s", snakepit_err_name(fault->err));
    begin(writer,
          DOCUMENT_PAIRS,
          type,
          snakepit_err_text(fault->err),
          sp_http_status(fault->err));
    write_detail(writer, fault);
    snakepit_writer_str(writer, "error");
    sp_fault_write(writer, fault, insight);
    snakepit_err err = sp_writer_to_json(writer, out);
    snakepit_writer_free(writer);
    return err;
}

snakepit_err
sp_problem_of_status(struct sp_buf *out, unsigned status, const char *detail)
{
    snakepit_writer *writer = snakepit_writer_new();
    begin(writer, STATUS_PAIRS, "about:blank", sp_http_phrase(status), status);
    sp_pair_text(writer, "detail", detail);
    snakepit_err err = sp_writer_to_json(writer, out);
    snakepit_writer_free(writer);
    return err;
}

struct sp_reply sp_problem_reply(unsigned status)
{
    static const struct sp_field later = {
        {(const uint8_t *)"retry-after", sizeof "retry-after" - 1},
        {(const uint8_t *)"1", 1}};
    return (struct sp_reply){.status = status,
                             .type = SP_PROBLEM_TYPE,
                             .fields = &later,
                             .field_count = status == 503 ? 1 : 0};
}

unsigned sp_retry_after(snakepit_err err, uint32_t retry_after_ms)
{
    if (!snakepit_err_retryable(err)) {
        return 0;
    }
    return retry_after_ms > 1000 ? (retry_after_ms - 1) / 1000 + 1 : 1;
}
