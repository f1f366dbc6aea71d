// SPDX-License-Identifier: MIT
// The header of an HTTP/2 answer, and the fields behind its body, as nghttp2 takes
// them.
#ifndef HTTP_HTTP2_ANSWER_H
#define HTTP_HTTP2_ANSWER_H

#include <nghttp2/nghttp2.h>

#include "base/slice.h"
#include "http/http2_fields.h"
#include "server/exchange.h"

// Whether there is never a body of an answer with that status, nor a word about one.
static inline bool sp_http2_has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

// Submits the header of an answer on the stream `id`. `length` of its body, or NULL
// where that is not known. `body` is read for it, or NULL: there is none. Fields that
// HTTP/2 has not (RFC 9113, section 8.2.2) and those whose values have control codes
// are left out. NO_MEMORY.
snakepit_err sp_http2_submit_answer(nghttp2_session *session,
                                    int32_t id,
                                    const struct sp_reply *reply,
                                    const size_t *length,
                                    const nghttp2_data_provider *body);
// Submits "100 Continue". NO_MEMORY.
snakepit_err sp_http2_submit_continue(nghttp2_session *session, int32_t id);
// Submits what follows a body. NO_MEMORY.
snakepit_err sp_http2_submit_trailers(nghttp2_session *session,
                                      int32_t id,
                                      const struct sp_http2_fields *trailers);
// Whether a field may be sent.
bool sp_http2_may_send(const struct sp_field *field);

#endif
