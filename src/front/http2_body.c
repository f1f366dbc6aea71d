// SPDX-License-Identifier: MIT
// Bodies that are kept until they are whole. One may be as large as max_message, and so
// may all of a connection together: beyond that a body waits, by its window, until
// others are done. The first that waits may go on nevertheless, or two that are half
// there would wait for each other.
#include "front/http2_inside.h"

#include "base/check.h"
#include "config/config.h"

#define BEYOND \
    (64u << 20) // bytes beyond it that come by windows which were given before

static uint64_t budget(const struct sp_http2 *http2)
{
    return sp_http2_config(http2)->max_message;
}

static bool may_go_on(struct sp_http2_stream *stream)
{
    struct sp_http2 *http2 = stream->http2;
    if (http2->kept > budget(http2) && http2->first == NULL) {
        http2->first = stream;
    }
    return http2->kept <= budget(http2) || http2->first == stream;
}

static void give_window(struct sp_http2_stream *stream)
{
    if (stream->owed > 0 && may_go_on(stream)) {
        stream->http2->held_back--;
        (void)nghttp2_session_consume_stream(
            stream->http2->session, stream->id, stream->owed);
        stream->owed = 0;
        sp_http2_ask_for_turn(stream->http2);
    }
}

enum sp_http2_kept sp_http2_body_keep(struct sp_http2_stream *stream,
                                      struct sp_slice bytes)
{
    struct sp_http2 *http2 = stream->http2;
    (void)nghttp2_session_consume_connection(http2->session, bytes.size);
    if (bytes.size > budget(http2) - stream->body.size) {
        return SP_HTTP2_TOO_LARGE;
    }
    if (http2->kept + bytes.size > budget(http2) + BEYOND && http2->first != stream) {
        return SP_HTTP2_TOO_MUCH;
    }
    if (sp_buf_append(&stream->body, bytes.data, bytes.size) != SNAKEPIT_OK) {
        return SP_HTTP2_TOO_MUCH;
    }
    http2->kept += bytes.size;
    stream->kept += bytes.size;
    http2->held_back += stream->owed == 0 && bytes.size > 0;
    stream->owed += bytes.size;
    give_window(stream);
    return SP_HTTP2_KEPT;
}

void sp_http2_body_forget(struct sp_http2_stream *stream)
{
    struct sp_http2 *http2 = stream->http2;
    SP_CHECK(stream->kept <= http2->kept);
    http2->kept -= stream->kept;
    stream->kept = 0;
    http2->first = http2->first == stream ? NULL : http2->first;
    http2->held_back -= stream->owed > 0;
    stream->owed = 0;
    sp_buf_fini(&stream->body);
    struct sp_link *link = http2->streams.next;
    for (; http2->held_back > 0 && link != &http2->streams; link = link->next) {
        give_window(SP_ENTRY(link, struct sp_http2_stream, link));
    }
}
