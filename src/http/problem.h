// SPDX-License-Identifier: MIT
// Problem documents (RFC 9457): what a failure looks like over HTTP.
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <stdbool.h>

#include <snakepit/fault.h>

#include "base/slice.h"
#include "server/exchange.h"

#define SP_PROBLEM_TYPE "application/problem+json"

// The status of an error, by the error table; 500 for a number that is not in it.
unsigned sp_http_status(snakepit_err err);
// The error of that name; OK: there is none, or it is "OK".
snakepit_err sp_err_named(struct sp_slice name);
// "Not Found"; "" for a status that is not used here.
const char *sp_http_phrase(unsigned status);

// A fault that is a sentence and no more, borrowed. `message` "" or NULL: the error's
// own text.
snakepit_fault sp_fault_of(snakepit_err err, const char *message);

// That a value has no JSON, of which no JSON text came: `why` is where its sentence is.
snakepit_fault sp_fault_no_json(const snakepit_reader *value, snakepit_message *why);

// The members of a fault, as one map:
//
//     {"name", "number", "retryable", "message", "type", "traceback", "arguments",
//      "stage", "cause", "last_output", "crash_stack", "late_stack", "worker", "stop",
//      "tool_runs", "late_ms"}
//
// Without `insight` traceback, the stacks and last_output are empty: they show the
// inside of an adapter.
void sp_fault_write(snakepit_writer *writer, const snakepit_fault *fault, bool insight);

// Appends the document of a fault: {"type": "/problems/SATURATED", "title": the error's
// text, "status", "detail": the fault's message behind its type, "error": its members}.
// NO_MEMORY: `out` is as it was.
snakepit_err
sp_problem_of_fault(struct sp_buf *out, const snakepit_fault *fault, bool insight);
// Of a request that HTTP alone has to complain about: {"type": "about:blank", "title":
// the status' phrase, "status", "detail"}. NO_MEMORY.
snakepit_err
sp_problem_of_status(struct sp_buf *out, unsigned status, const char *detail);

// The beginning of an answer that is such a document and comes from the protocol
// itself: a 503 is over in a second.
struct sp_reply sp_problem_reply(unsigned status);

// Seconds for `Retry-After`; 0: the call is not to be sent again as it is.
// `retry_after_ms` is snakepit_answer_retry_after_ms(), or 0.
unsigned sp_retry_after(snakepit_err err, uint32_t retry_after_ms);

#endif
