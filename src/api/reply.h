// SPDX-License-Identifier: MIT
// The ends of handlers: each of these answers the exchange, and so ends it. What says
// that something is wrong says it to clients of gRPC in their way.
#ifndef API_REPLY_H
#define API_REPLY_H

#include <snakepit/snakepit.h>

#include "http/negotiate.h"
#include "server/exchange.h"

// An answer that is not a problem. All of it is borrowed.
struct sp_api_answer {
    unsigned status;  // 200
    const char *type; // NULL: there is no body
    struct sp_slice body;
    const char *call;  // its name or number, for Snakepit-Call-Id; NULL: it has none
    const char *allow; // the methods of the path, or NULL
    const char *challenge;      // for WWW-Authenticate, or NULL
    const char *mcp_session;    // for Mcp-Session-Id, or NULL
    const char *inference_head; // for Inference-Header-Content-Length, or NULL
};

// Adds what browsers want to know.
void sp_api_reply(struct sp_exchange *exchange, const struct sp_api_answer *answer);
// Begins a body that comes piece by piece. Does not end the exchange.
void sp_api_begin(struct sp_exchange *exchange, const struct sp_api_answer *answer);
// 202: it was asked for. Over gRPC, as below, a message without a field.
void sp_api_accepted(struct sp_exchange *exchange);
// 204.
void sp_api_done(struct sp_exchange *exchange);

// A fault, by the error table. `call` as above; `retry_after_ms` is
// snakepit_answer_retry_after_ms(), or 0.
void sp_api_fault(struct sp_exchange *exchange,
                  const snakepit_fault *fault,
                  uint32_t retry_after_ms,
                  const char *call);
// One that is a sentence and no more; "" or NULL: the error's own text.
void sp_api_fail(struct sp_exchange *exchange, snakepit_err err, const char *message);
// What HTTP alone has to complain about.
void sp_api_refuse(struct sp_exchange *exchange, unsigned status, const char *detail);
// The same with a challenge for WWW-Authenticate.
void sp_api_refuse_access(struct sp_exchange *exchange,
                          unsigned status,
                          const char *challenge,
                          const char *detail);
// The same with 405.
void sp_api_refuse_method(struct sp_exchange *exchange);

// The value in a writer, as JSON or MessagePack, as the client wants it; or why there
// is none. NULL: without memory.
void sp_api_reply_value(struct sp_exchange *exchange, const snakepit_writer *writer);
// The same of an answer, in an enum sp_media. `call` as above.
void sp_api_reply_answer(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         unsigned media,
                         const char *call);
// What an answer becomes before it is sent. Zeroed it is nothing. Borrows from the
// answer.
struct sp_api_result {
    struct sp_slice body;
    struct sp_buf room; // of the body, if it had to be made
    snakepit_err err;   // why there is none
    void *own;          // of the form that makes it, see api/call.h
};
// Whether to write it would keep a loop from its other connections.
bool sp_api_result_is_large(const snakepit_answer *answer);
bool sp_api_value_is_large(const snakepit_reader *value);
// Of an answer that is no fault. Any thread.
void sp_api_result_make(struct sp_api_result *result,
                        snakepit_answer *answer,
                        unsigned media);
// Answers with what was made, and frees it.
void sp_api_reply_result(struct sp_exchange *exchange,
                         struct sp_api_result *result,
                         snakepit_answer *answer,
                         unsigned media,
                         const char *call);
// As the client wants it; SP_MEDIA_NONE: it wants neither, and was refused.
enum sp_media sp_api_choose(struct sp_exchange *exchange, unsigned offered);

// `serve: tracebacks` of the configuration.
bool sp_api_shows_tracebacks(const struct sp_exchange *exchange);
// The origins of the configuration.
const struct sp_texts *sp_api_origins(const struct sp_exchange *exchange);

#endif
