// SPDX-License-Identifier: MIT
// What an HTTP/1.1 answer looks like on its way to the client.
#ifndef HTTP_HTTP1_ANSWER_H
#define HTTP_HTTP1_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "server/connection.h"
#include "server/exchange.h"

// How the client knows where the body ends.
enum sp_http1_framing {
    SP_HTTP1_BODY_LENGTH,  // Content-Length
    SP_HTTP1_BODY_CHUNKED, // by its last chunk
    SP_HTTP1_BODY_CLOSE,   // with the connection: HTTP/1.0
};

struct sp_http1_answer {
    const struct sp_reply *reply;
    enum sp_http1_framing framing;
    size_t length;   // of the body, for SP_HTTP1_BODY_LENGTH
    bool keep_alive; // another request may follow
    bool says_so;    // and the client has to be told: HTTP/1.0
};

// Sends the head of an answer and `body`, or what of it is there. Fields whose values
// have control codes are left out: they would be more than one field. NO_MEMORY: a part
// may have been sent.
snakepit_err sp_http1_send_answer(struct sp_connection *connection,
                                  const struct sp_http1_answer *answer,
                                  struct sp_slice body);
// Sends a piece of a body as a chunk. An empty one is not sent, since it would be the
// last. NO_MEMORY: a part may have been sent.
snakepit_err sp_http1_send_chunk(struct sp_connection *connection,
                                 struct sp_slice piece);
// Sends what ends a body of chunks. NO_MEMORY.
snakepit_err sp_http1_send_last_chunk(struct sp_connection *connection);
// Sends "100 Continue". NO_MEMORY.
snakepit_err sp_http1_send_continue(struct sp_connection *connection);

#endif
