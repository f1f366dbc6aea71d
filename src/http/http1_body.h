// SPDX-License-Identifier: MIT
// The body of an HTTP/1.1 request, read into one block that grows as it comes.
//
// Owner: the loop of its connection.
#ifndef HTTP_HTTP1_BODY_H
#define HTTP_HTTP1_BODY_H

#include "http/http1_chunks.h"
#include "http/http1_parser.h"
#include "server/budget.h"
#include "server/connection.h"

// Zeroed there is none.
struct sp_http1_body {
    struct sp_counted block;
    size_t most;    // bytes that it will have at most
    uint64_t began; // ns
    bool chunked;
    struct sp_http1_chunks chunks;
    size_t known; // bytes that the chunks know of
};

enum sp_http1_body_is {
    SP_HTTP1_BODY_IS_MORE = 0, // than has come
    SP_HTTP1_BODY_IS_WHOLE,
    SP_HTTP1_BODY_IS_REFUSED,
    SP_HTTP1_BODY_IS_BROKEN, // without memory
};

// After this head a body of `most` bytes at most may come. `now` is sp_clock_now().
void sp_http1_body_begin(struct sp_http1_body *body,
                         const struct sp_http1_head *head,
                         size_t most,
                         uint64_t now);
// Takes what has come of it, and says where more is to be read. `refusal` is set where
// it is refused: too large (413), malformed (400), too slow (408), or more than there
// is memory for now (503).
enum sp_http1_body_is sp_http1_body_read(struct sp_http1_body *body,
                                         struct sp_connection *connection,
                                         uint64_t now,
                                         struct sp_refusal *refusal);
// Nobody looks at it any more. Of its block `kept` bytes at most stay.
void sp_http1_body_forget(struct sp_http1_body *body,
                          struct sp_connection *connection,
                          size_t kept);

#endif
