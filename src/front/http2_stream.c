// SPDX-License-Identifier: MIT
// A stream is one request and its answer. The window of a body that is kept whole is
// given back as it comes, since its size is bounded; that of one that streams when the
// handler has taken it.
//
// nghttp2 forgets a stream when both sides have ended it, or one has reset it, and that
// may be before a handler is done with the exchange, or long after.
#include "front/http2_inside.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "front/http2_answer.h"
#include "front/problem.h"

#define WINDOW 131072u // bytes of an answer that wait for the client before it is full
#define KEPT   4096u // of a buffer that is kept while the stream has an answer to send

static struct sp_http2_stream *of_exchange(struct sp_exchange *exchange)
{
    return SP_ENTRY(exchange, struct sp_http2_stream, exchange);
}

static nghttp2_session *session_of(const struct sp_http2_stream *stream)
{
    return stream->http2->session;
}

static bool is_open(const struct sp_http2_stream *stream)
{
    return stream->state == SP_HTTP2_WORK || stream->state == SP_HTTP2_ANSWER;
}

static size_t unsent(const struct sp_http2_stream *stream)
{
    return stream->out.size - stream->out_at;
}

// ---- What it waits for ------------------------------------------------------------

static enum sp_wait_for what_it_waits_for(const struct sp_http2_stream *stream)
{
    bool comes = stream->state == SP_HTTP2_BODY ||
                 (stream->state == SP_HTTP2_WORK && stream->held == 0);
    if (stream->closed) {
        return SP_WAIT_NOTHING;
    }
    if (unsent(stream) > 0) {
        return SP_WAIT_CLIENT;
    }
    if (stream->ended && !stream->whole) {
        return SP_WAIT_END;
    }
    return comes && !stream->whole ? SP_WAIT_BODY : SP_WAIT_NOTHING;
}

// `moved`: the client has just done something for it, and has all its time for the
// rest.
static void wait_as_is(struct sp_http2_stream *stream, bool moved)
{
    enum sp_wait_for what = what_it_waits_for(stream);
    moved = moved && what != SP_WAIT_END;
    bool waits = sp_link_used(&stream->wait.link);
    if (what == SP_WAIT_NOTHING) {
        sp_wait_end(&stream->wait);
    } else if (moved || !waits || stream->wait.what != what) {
        sp_wait_begin(&stream->http2->waits, &stream->wait, what);
    }
}

// ---- Life -------------------------------------------------------------------------

struct sp_http2_stream *sp_http2_stream_new(struct sp_http2 *http2, int32_t id)
{
    struct sp_http2_stream *stream = sp_alloc(sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->http2 = http2;
    stream->id = id;
    stream->fields = stream->few;
    sp_list_append(&http2->streams, &stream->link);
    http2->count++;
    return stream;
}

// A handler that has answered looks at the request no longer.
static void forget_request(struct sp_http2_stream *stream)
{
    sp_http2_fields_fini(&stream->head);
    sp_buf_fini(&stream->body);
    if (stream->fields != stream->few) {
        sp_free(stream->fields);
        stream->fields = stream->few;
    }
}

void sp_http2_stream_give_up(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = stream->exchange.listener;
    bool told = is_open(stream) && listener != NULL;
    stream->state = SP_HTTP2_OVER;
    if (told) {
        listener->gone(stream->exchange.user);
    }
}

void sp_http2_stream_free(struct sp_http2_stream *stream)
{
    struct sp_http2 *http2 = stream->http2;
    sp_http2_stream_give_up(stream);
    forget_request(stream);
    sp_http2_fields_fini(&stream->trailers);
    sp_buf_fini(&stream->out);
    sp_wait_end(&stream->wait);
    sp_list_remove(&stream->link);
    if (sp_link_used(&stream->due)) {
        sp_list_remove(&stream->due);
    }
    http2->reading = http2->reading == stream ? NULL : http2->reading;
    http2->count--;
    sp_free(stream);
}

static void make_due(struct sp_http2_stream *stream)
{
    if (!sp_link_used(&stream->due)) {
        sp_list_append(&stream->http2->due, &stream->due);
    }
    sp_http2_ask_for_turn(stream->http2);
}

// A client whose request was answered before all of it had come need not send the rest.
// It is told so a moment later: there are some that drop an answer which a reset comes
// along with.
void sp_http2_stream_ended(struct sp_http2_stream *stream)
{
    stream->ended = true;
    wait_as_is(stream, false);
}

void sp_http2_stream_closed(struct sp_http2_stream *stream)
{
    // What was not taken does not hold the others any longer.
    (void)nghttp2_session_consume_connection(session_of(stream), stream->held);
    stream->held = 0;
    stream->closed = true;
    make_due(stream);
}

void sp_http2_stream_tell(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = stream->exchange.listener;
    if (stream->closed) {
        sp_http2_stream_free(stream);
    } else if (stream->full && unsent(stream) <= WINDOW / 2) {
        stream->full = false;
        if (is_open(stream) && listener != NULL && listener->writable != NULL) {
            listener->writable(stream->exchange.user);
        }
    }
}

// ---- Answers ----------------------------------------------------------------------

static void reset(struct sp_http2_stream *stream, uint32_t code)
{
    if (!stream->closed) {
        (void)nghttp2_submit_rst_stream(
            session_of(stream), NGHTTP2_FLAG_NONE, stream->id, code);
        sp_http2_ask_for_turn(stream->http2);
    }
}

static void finish(struct sp_http2_stream *stream)
{
    stream->state = SP_HTTP2_OVER;
    forget_request(stream);
    wait_as_is(stream, false);
}

static ssize_t on_read(nghttp2_session *session,
                       int32_t id,
                       uint8_t *buf,
                       size_t length,
                       uint32_t *flags,
                       nghttp2_data_source *source,
                       void *user)
{
    (void)session;
    (void)id;
    (void)buf;
    (void)user;
    return sp_http2_stream_read(source->ptr, length, flags);
}

// `length`: see sp_http2_submit_answer().
static snakepit_err submit(struct sp_http2_stream *stream,
                           const struct sp_reply *reply,
                           const size_t *length)
{
    const nghttp2_data_provider body = {.source = {.ptr = stream},
                                        .read_callback = on_read};
    bool none = stream->headed || sp_http2_has_no_body(reply->status) ||
                (length != NULL && *length == 0);
    stream->headed = none;
    sp_http2_ask_for_turn(stream->http2);
    return sp_http2_submit_answer(
        session_of(stream), stream->id, reply, length, none ? NULL : &body);
}

static snakepit_err append(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    snakepit_err err = sp_buf_append(&stream->out, bytes.data, bytes.size);
    if (err == SNAKEPIT_OK) {
        wait_as_is(stream, false);
    }
    return err;
}

static void resume(struct sp_http2_stream *stream)
{
    if (stream->resting) {
        stream->resting = false;
        (void)nghttp2_session_resume_data(session_of(stream), stream->id);
        sp_http2_ask_for_turn(stream->http2);
    }
}

static void exchange_reply(struct sp_exchange *exchange,
                           const struct sp_reply *reply,
                           struct sp_slice body)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(stream->state == SP_HTTP2_WORK);
    snakepit_err err = SNAKEPIT_OK;
    stream->ends = true;
    if (!stream->closed) {
        err = submit(stream, reply, &body.size);
    }
    if (!stream->closed && !stream->headed && err == SNAKEPIT_OK) {
        err = append(stream, body);
    }
    if (err != SNAKEPIT_OK) {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    finish(stream);
}

static void exchange_begin(struct sp_exchange *exchange, const struct sp_reply *reply)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(stream->state == SP_HTTP2_WORK);
    stream->state = SP_HTTP2_ANSWER;
    if (!stream->closed && submit(stream, reply, NULL) != SNAKEPIT_OK) {
        // The handler still believes that it answers; it is told that it is over.
        reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    wait_as_is(stream, false);
}

static snakepit_err exchange_send(struct sp_exchange *exchange, struct sp_slice bytes)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(stream->state == SP_HTTP2_ANSWER);
    if (stream->headed || stream->closed || bytes.size == 0) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = append(stream, bytes);
    if (err == SNAKEPIT_OK) {
        resume(stream);
    }
    return err;
}

static snakepit_err keep_trailers(struct sp_http2_stream *stream,
                                  const struct sp_field *trailers,
                                  size_t count)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        if (sp_http2_may_send(&trailers[i])) {
            err = sp_http2_fields_add(
                &stream->trailers, trailers[i].name, trailers[i].value);
        }
    }
    return err;
}

static void exchange_end(struct sp_exchange *exchange,
                         const struct sp_field *trailers,
                         size_t count)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(stream->state == SP_HTTP2_ANSWER);
    stream->ends = true;
    if (!stream->headed && keep_trailers(stream, trailers, count) != SNAKEPIT_OK) {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    resume(stream);
    finish(stream);
}

static void exchange_fail(struct sp_exchange *exchange)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(is_open(stream));
    reset(stream, NGHTTP2_INTERNAL_ERROR);
    finish(stream);
}

static size_t exchange_room(const struct sp_exchange *exchange)
{
    // A stream is never constant; only its exchange is to the one who asks.
    struct sp_http2_stream *stream =
        (struct sp_http2_stream *)(uintptr_t)(const void *)exchange;
    size_t queued = unsent(stream);
    stream->full = queued >= WINDOW;
    return stream->full ? 0 : WINDOW - queued;
}

static void exchange_taken(struct sp_exchange *exchange, size_t bytes)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    if (stream->closed) {
        return;
    }
    SP_CHECK(bytes <= stream->held);
    stream->held -= bytes;
    (void)nghttp2_session_consume(session_of(stream), stream->id, bytes);
    sp_http2_ask_for_turn(stream->http2);
    wait_as_is(stream, true);
}

static const struct sp_exchange_ops exchange_ops = {
    .reply = exchange_reply,
    .begin = exchange_begin,
    .send = exchange_send,
    .end = exchange_end,
    .fail = exchange_fail,
    .room = exchange_room,
    .taken = exchange_taken,
};

// Answers without a handler.
static void refuse(struct sp_http2_stream *stream, unsigned status, const char *why)
{
    const struct sp_reply reply = {.status = status, .type = SP_PROBLEM_TYPE};
    struct sp_buf body = {0};
    if (sp_problem_of_status(&body, status, why) == SNAKEPIT_OK) {
        stream->state = SP_HTTP2_WORK;
        exchange_reply(
            &stream->exchange, &reply, (struct sp_slice){body.data, body.size});
    } else {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        finish(stream);
    }
    sp_buf_fini(&body);
}

// ---- What is sent -----------------------------------------------------------------

ssize_t
sp_http2_stream_read(struct sp_http2_stream *stream, size_t most, uint32_t *flags)
{
    size_t left = unsent(stream);
    size_t size = left < most ? left : most;
    if (left == 0 && !stream->ends) {
        stream->resting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (size > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    }
    if (size == left && stream->ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailers.count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (sp_http2_submit_trailers(
                    session_of(stream), stream->id, &stream->trailers) != SNAKEPIT_OK) {
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
            }
            sp_http2_fields_fini(&stream->trailers);
        }
    }
    return (ssize_t)size;
}

snakepit_err sp_http2_stream_send(struct sp_http2_stream *stream,
                                  struct sp_slice head,
                                  size_t length)
{
    struct sp_connection *connection = stream->http2->connection;
    const struct sp_slice bytes = {stream->out.data + stream->out_at, length};
    SP_CHECK(length <= unsent(stream));
    snakepit_err err = sp_connection_send(connection, head);
    if (err == SNAKEPIT_OK) {
        err = sp_connection_send(connection, bytes);
    }
    stream->out_at += length;
    if (unsent(stream) == 0) {
        stream->out.size = 0;
        stream->out_at = 0;
        if (stream->ends || stream->out.capacity > KEPT) {
            sp_buf_fini(&stream->out);
        }
    }
    if (stream->full && unsent(stream) <= WINDOW / 2) {
        make_due(stream);
    }
    wait_as_is(stream, true);
    return err;
}

// ---- Requests ---------------------------------------------------------------------

snakepit_err sp_http2_stream_field(struct sp_http2_stream *stream,
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
    }
    size_t most = SP_FIELDS_MOST + (pseudo ? 0 : 4);
    stream->large = stream->large || head->size > limit || head->count > most;
    return err;
}

static void hand_over(struct sp_http2_stream *stream)
{
    stream->state = SP_HTTP2_WORK;
    stream->exchange.request.body =
        (struct sp_slice){stream->body.data, stream->body.size};
    stream->exchange.request.body_buf = &stream->body;
    stream->exchange.loop->options->handle(&stream->exchange);
}

static void refuse_large(struct sp_http2_stream *stream)
{
    refuse(stream, 413, "the body is larger than max_message");
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
    if (head->wants_continue && !stream->whole) {
        (void)sp_http2_submit_continue(session_of(stream), stream->id);
        sp_http2_ask_for_turn(stream->http2);
    }
    stream->state = SP_HTTP2_BODY;
    if (streaming) {
        hand_over(stream);
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

void sp_http2_stream_begin(struct sp_http2_stream *stream, bool whole)
{
    struct sp_connection *connection = stream->http2->connection;
    struct sp_http2_head head;
    stream->whole = whole;
    stream->exchange.ops = &exchange_ops;
    stream->exchange.loop = connection->loop;
    stream->exchange.peer = &connection->peer;
    if (stream->large) {
        refuse(stream, 431, "the header is too large");
        return;
    }
    if (make_room_for_fields(stream) != SNAKEPIT_OK) {
        stream->state = SP_HTTP2_OVER;
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    struct sp_refusal refusal =
        sp_http2_read_head(&stream->head, stream->fields, &head);
    stream->headed = head.method == SP_METHOD_HEAD;
    if (refusal.status != 0) {
        refuse(stream, refusal.status, refusal.why);
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
        sp_http2_stream_complete(stream);
    } else {
        wait_as_is(stream, true);
    }
}

// Of a body that nobody wants the connection alone has its window back: the client may
// send what it has begun, and not more.
static void drop(struct sp_http2_stream *stream, size_t bytes)
{
    (void)nghttp2_session_consume_connection(session_of(stream), bytes);
}

static void keep(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    uint64_t most = sp_http2_config(stream->http2)->max_message;
    if (bytes.size > most - stream->body.size) {
        drop(stream, bytes.size);
        refuse_large(stream);
        return;
    }
    if (sp_buf_append(&stream->body, bytes.data, bytes.size) != SNAKEPIT_OK) {
        drop(stream, bytes.size);
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        finish(stream);
        return;
    }
    (void)nghttp2_session_consume(session_of(stream), stream->id, bytes.size);
}

static const struct sp_exchange_listener *
streaming_listener(const struct sp_http2_stream *stream)
{
    return is_open(stream) && stream->exchange.request.streaming
               ? stream->exchange.listener
               : NULL;
}

void sp_http2_stream_body(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    const struct sp_exchange_listener *listener = streaming_listener(stream);
    if (listener != NULL && listener->received != NULL) {
        stream->held += bytes.size;
        listener->received(stream->exchange.user, bytes);
    } else if (stream->state == SP_HTTP2_BODY) {
        keep(stream, bytes);
    } else {
        drop(stream, bytes.size);
    }
    wait_as_is(stream, true);
}

void sp_http2_stream_complete(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = streaming_listener(stream);
    stream->whole = true;
    if (listener != NULL && listener->complete != NULL) {
        listener->complete(stream->exchange.user);
    } else if (stream->state == SP_HTTP2_BODY) {
        hand_over(stream);
    }
    wait_as_is(stream, false);
}

void sp_http2_stream_late(struct sp_http2_stream *stream, enum sp_wait_for what)
{
    if (what == SP_WAIT_BODY && stream->state == SP_HTTP2_BODY) {
        refuse(stream, 408, "the body did not go on within body_timeout_ms");
    } else {
        reset(stream, what == SP_WAIT_END ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    }
}
