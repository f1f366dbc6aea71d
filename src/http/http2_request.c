// SPDX-License-Identifier: MIT
// What comes of a request. The window of a body that streams is given back when the
// handler has taken it.
#include "http/http2_inside.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http2_answer.h"

#define QUEUED_MOST (16u << 20) // bytes of answers from which on no handler has another

// ---- Handlers ---------------------------------------------------------------------

static const struct sp_exchange_listener *
streaming_listener(const struct sp_http2_stream *stream)
{
    return sp_http2_stream_is_open(stream) && stream->exchange.request.streaming
               ? stream->exchange.listener
               : NULL;
}

static void hand_over(struct sp_http2_stream *stream)
{
    stream->state = SP_HTTP2_WORK;
    if (!stream->exchange.request.streaming) {
        stream->exchange.request.body =
            (struct sp_slice){stream->body.data, stream->body.size};
        stream->exchange.request.body_buf = &stream->body;
    }
    stream->exchange.loop->options->handle(&stream->exchange);
}

// What has come while it waited. The handler may end the exchange with it.
static void tell_body(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = streaming_listener(stream);
    if (listener == NULL) {
        return;
    }
    struct sp_buf body = stream->body;
    stream->body = (struct sp_buf){0};
    sp_http2_body_forget(stream);
    if (listener->received != NULL && body.size > 0) {
        listener->received(stream->exchange.user,
                           (struct sp_slice){body.data, body.size});
    }
    sp_buf_fini(&body);
    listener = streaming_listener(stream);
    if (listener != NULL && listener->complete != NULL && stream->whole) {
        listener->complete(stream->exchange.user);
    }
}

// A client that does not read its answers gets no more of them made.
bool sp_http2_request_may_go_on(const struct sp_http2 *http2)
{
    return http2->queued <= QUEUED_MOST;
}

void sp_http2_request_go_on(struct sp_http2_stream *stream)
{
    stream->waits = false;
    hand_over(stream);
    tell_body(stream);
    sp_http2_stream_wait(stream, true);
}

static void hand_over_in_turn(struct sp_http2_stream *stream)
{
    struct sp_http2 *http2 = stream->http2;
    if (sp_http2_request_may_go_on(http2) && !stream->waits) {
        hand_over(stream);
    } else if (!stream->waits) {
        stream->waits = true;
        sp_list_append(&http2->waiting, &stream->due);
    }
}

// ---- The header -------------------------------------------------------------------

snakepit_err sp_http2_request_field(struct sp_http2_stream *stream,
                                    struct sp_slice name,
                                    struct sp_slice value)
{
    struct sp_http2_fields *head = &stream->head;
    size_t limit = (size_t)sp_http2_config(stream->http2)->max_header_size;
    bool pseudo = name.size != 0 && name.data[0] == ':';
    snakepit_err err = SNAKEPIT_OK;
    // What cannot be used is not kept either.
    if (!stream->large) {
        err = sp_http2_fields_add(head, name, value);
    } else {
        head->size += name.size + value.size;
    }
    size_t most = SP_FIELDS_MOST + (pseudo ? 0 : 4);
    stream->large = stream->large || head->size > limit || head->count > most;
    return err;
}

static void refuse_large(struct sp_http2_stream *stream)
{
    sp_http2_stream_refuse(stream, 413, "the body is larger than max_message");
}

// Whether the body is wanted; else it is answered.
static bool is_wanted(struct sp_http2_stream *stream)
{
    sp_admit_fn *admit = stream->exchange.loop->options->admit;
    stream->state = SP_HTTP2_WORK;
    return admit == NULL || admit(&stream->exchange);
}

// The body is to come.
static void await_body(struct sp_http2_stream *stream, const struct sp_http2_head *head)
{
    sp_streams_fn *streams = stream->exchange.loop->options->streams;
    stream->exchange.request.streaming = streams != NULL && streams(&stream->exchange);
    bool streaming = stream->exchange.request.streaming;
    if (!streaming && head->length > sp_http2_config(stream->http2)->max_message) {
        refuse_large(stream);
        return;
    }
    if (!streaming && !stream->whole && !is_wanted(stream)) {
        return;
    }
    if (head->wants_continue && !stream->whole) {
        (void)sp_http2_submit_continue(stream->http2->session, stream->id);
        sp_http2_ask_for_turn(stream->http2);
    }
    stream->state = SP_HTTP2_BODY;
    stream->begun = sp_clock_now();
    if (streaming) {
        hand_over_in_turn(stream);
    }
}

static snakepit_err make_room_for_fields(struct sp_http2_stream *stream)
{
    size_t count = stream->head.count;
    if (count > SP_HTTP2_FEW) {
        struct sp_field *many = sp_alloc_array(count, sizeof *many);
        if (many == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        stream->fields = many;
    }
    return SNAKEPIT_OK;
}

// A call that its client has given up counts while it runs: it may not begin call after
// call by giving up each.
static bool runs_too_much(const struct sp_http2 *http2)
{
    return http2->count + sp_unfinished_count(http2->unfinished) >
           sp_http2_config(http2)->max_streams;
}

void sp_http2_request_begin(struct sp_http2_stream *stream, bool whole)
{
    struct sp_connection *connection = stream->http2->connection;
    struct sp_http2_head head;
    stream->whole = whole;
    stream->exchange.ops = &sp_http2_exchange_ops;
    stream->exchange.loop = connection->loop;
    stream->exchange.peer = &connection->peer;
    stream->exchange.unfinished = stream->http2->unfinished;
    if (runs_too_much(stream->http2)) {
        stream->state = SP_HTTP2_OVER;
        sp_http2_stream_reset(stream, NGHTTP2_REFUSED_STREAM);
        return;
    }
    if (stream->large) {
        sp_http2_stream_refuse(stream, 431, "the header is too large");
        return;
    }
    if (make_room_for_fields(stream) != SNAKEPIT_OK) {
        stream->state = SP_HTTP2_OVER;
        sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    struct sp_refusal refusal =
        sp_http2_read_head(&stream->head, stream->fields, &head);
    stream->headed = head.method == SP_METHOD_HEAD;
    if (refusal.status != 0) {
        sp_http2_stream_refuse(stream, refusal.status, refusal.why);
        return;
    }
    stream->exchange.request = (struct sp_request){
        .method = head.method,
        .secure = sp_connection_is_secure(connection),
        .version = 2,
        .path = head.path,
        .query = head.query,
        .host = head.host,
        .fields = stream->fields,
        .field_count = head.field_count,
    };
    await_body(stream, &head);
    if (whole) {
        sp_http2_request_complete(stream);
    } else {
        sp_http2_stream_wait(stream, true);
    }
}

// ---- The body ---------------------------------------------------------------------

// Of a body that nobody wants the connection alone has its window back: the client may
// send what it has begun, and not more.
static void drop(struct sp_http2_stream *stream, size_t bytes)
{
    (void)nghttp2_session_consume_connection(stream->http2->session, bytes);
}

static void keep(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    switch (sp_http2_body_keep(stream, bytes)) {
    case SP_HTTP2_KEPT:
        break;
    case SP_HTTP2_TOO_LARGE:
        refuse_large(stream);
        break;
    case SP_HTTP2_SPENT:
        sp_http2_stream_refuse(
            stream, 503, "the bodies of all requests take max_memory already");
        break;
    case SP_HTTP2_TOO_SLOW:
        sp_http2_stream_refuse(stream, 408, "the body comes slower than body_min_rate");
        break;
    case SP_HTTP2_TOO_MUCH:
        sp_http2_stream_reset(stream, NGHTTP2_REFUSED_STREAM);
        sp_http2_stream_finish(stream);
        break;
    }
}

// It waits for a handler, which has not said yet that it may come.
static void hold(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    if (sp_http2_body_append(stream, bytes) != SP_HTTP2_KEPT) {
        drop(stream, bytes.size);
        sp_http2_stream_reset(stream, NGHTTP2_REFUSED_STREAM);
        sp_http2_stream_finish(stream);
        return;
    }
    stream->held += bytes.size;
}

void sp_http2_request_body(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    const struct sp_exchange_listener *listener = streaming_listener(stream);
    if (listener != NULL && listener->received != NULL) {
        stream->held += bytes.size;
        listener->received(stream->exchange.user, bytes);
    } else if (stream->waits && stream->exchange.request.streaming) {
        hold(stream, bytes);
    } else if (stream->state == SP_HTTP2_BODY) {
        keep(stream, bytes);
    } else {
        drop(stream, bytes.size);
    }
    sp_http2_stream_wait(stream, true);
}

void sp_http2_request_complete(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = streaming_listener(stream);
    stream->whole = true;
    if (listener != NULL && listener->complete != NULL) {
        listener->complete(stream->exchange.user);
    } else if (stream->state == SP_HTTP2_BODY) {
        hand_over_in_turn(stream);
    }
    sp_http2_stream_wait(stream, false);
}
