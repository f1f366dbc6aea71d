// SPDX-License-Identifier: MIT
// Bodies that are kept until they are whole. One may be as large as max_message, and so
// may all of a connection together: beyond that a body waits, by its window, until
// others are done. The first that waits may go on nevertheless, or two that are half
// there would wait for each other.
#include "http/http2_inside.h"

#include "base/check.h"
#include "base/clock.h"
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

static bool keeps_pace(const struct sp_http2_stream *stream)
{
    const struct sp_serve_config *config = sp_http2_config(stream->http2);
    return sp_budget_keeps_pace(sp_clock_now() - stream->begun,
                                stream->body.size,
                                config->body_timeout_ms,
                                config->body_min_rate);
}

enum sp_http2_kept sp_http2_body_append(struct sp_http2_stream *stream,
                                        struct sp_slice bytes)
{
    const struct sp_serve_loop *loop = stream->http2->connection->loop;
    if (!sp_budget_take(loop->budget, bytes.size)) {
        sp_budget_tell(loop->budget, loop->options->log, sp_clock_now());
        return SP_HTTP2_SPENT;
    }
    if (sp_buf_append(&stream->body, bytes.data, bytes.size) != SNAKEPIT_OK) {
        sp_budget_give(loop->budget, bytes.size);
        return SP_HTTP2_TOO_MUCH;
    }
    stream->http2->kept += bytes.size;
    stream->kept += bytes.size;
    return SP_HTTP2_KEPT;
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
    enum sp_http2_kept kept = sp_http2_body_append(stream, bytes);
    if (kept != SP_HTTP2_KEPT) {
        return kept;
    }
    http2->held_back += stream->owed == 0 && bytes.size > 0;
    stream->owed += bytes.size;
    give_window(stream);
    return keeps_pace(stream) ? SP_HTTP2_KEPT : SP_HTTP2_TOO_SLOW;
}

void sp_http2_body_forget(struct sp_http2_stream *stream)
{
    struct sp_http2 *http2 = stream->http2;
    SP_CHECK(stream->kept <= http2->kept);
    http2->kept -= stream->kept;
    sp_budget_give(http2->connection->loop->budget, stream->kept);
    stream->kept = 0;
    http2->first = http2->first == stream ? NULL : http2->first;
    http2->held_back -= stream->owed > 0;
    stream->owed = 0;
    sp_buf_fini(&stream->body);
    struct sp_link *link = http2->streams.next;
    for (; http2->held_back > 0 && link != &http2->streams; link = link->next) {
        struct sp_http2_stream *other = SP_ENTRY(link, struct sp_http2_stream, link);
        // That it was held back is not its client's fault.
        other->begun = other->owed > 0 ? sp_clock_now() : other->begun;
        give_window(other);
    }
}
