// SPDX-License-Identifier: MIT
// nghttp2 forgets a stream when both sides have ended it, or one has reset it, and that
// may be before a handler is done with the exchange, or long after.
#include "http/http2_inside.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http2_answer.h"
#include "http/problem.h"

#define WINDOW      SP_OUTBOX_WINDOW
#define HEAD        512u       // bytes that the header of most requests fits into
#define PIECE       256u       // likewise small answers, and what follows them
#define SMALL       16384u     // the same, while others have much that waits
#define QUEUED_MUCH (8u << 20) // bytes of answers of a connection
#define KEPT        4096u // of a buffer that is kept while the stream has an answer to send

static struct sp_http2_stream *of_exchange(struct sp_exchange *exchange)
{
    return SP_ENTRY(exchange, struct sp_http2_stream, exchange);
}

static nghttp2_session *session_of(const struct sp_http2_stream *stream)
{
    return stream->http2->session;
}

static struct sp_budget *budget_of(const struct sp_http2_stream *stream)
{
    return stream->http2->connection->loop->budget;
}

static size_t unsent(const struct sp_http2_stream *stream)
{
    return sp_outbox_size(&stream->out);
}

static struct sp_blocks *blocks_of(const struct sp_http2_stream *stream)
{
    return &stream->http2->connection->loop->blocks;
}

// The memory of its answer.
static void take_back(struct sp_http2_stream *stream)
{
    sp_blocks_take_back(blocks_of(stream), &stream->out.bytes);
    sp_outbox_fini(&stream->out, budget_of(stream));
}

// A client that has a thousand streams, and reads none, has a thousand windows here.
static size_t window_of(const struct sp_http2_stream *stream)
{
    const bool much =
        stream->http2->queued >= QUEUED_MUCH || sp_budget_is_spent(budget_of(stream));
    return much ? SMALL : WINDOW;
}

// ---- What it waits for ------------------------------------------------------------

static enum sp_wait_for what_it_waits_for(const struct sp_http2_stream *stream)
{
    bool comes = (stream->state == SP_HTTP2_BODY && stream->owed == 0) ||
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
void sp_http2_stream_wait(struct sp_http2_stream *stream, bool moved)
{
    enum sp_wait_for what = what_it_waits_for(stream);
    moved = moved && what != SP_WAIT_END;
    bool waits = sp_link_used(&stream->wait.link);
    if (what == SP_WAIT_NOTHING) {
        sp_wait_end(&stream->wait);
    } else if (moved || !waits || stream->wait.what != what) {
        sp_wait_begin(&stream->http2->connection->loop->streams, &stream->wait, what);
    }
}

// ---- Life -------------------------------------------------------------------------

struct sp_http2_stream *sp_http2_stream_new(struct sp_http2 *http2, int32_t id)
{
    struct sp_blocks *blocks = &http2->connection->loop->blocks;
    struct sp_http2_stream *stream = sp_blocks_take(blocks, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    memset(stream, 0, offsetof(struct sp_http2_stream, few));
    sp_blocks_lend(blocks, &stream->head.bytes, HEAD);
    stream->http2 = http2;
    stream->id = id;
    stream->fields = stream->few;
    sp_list_append(&http2->streams, &stream->link);
    http2->count++;
    sp_door_count(http2->connection->counts, SP_DOOR_STREAMS, 1);
    sp_door_count(http2->connection->counts, SP_DOOR_OPEN_STREAMS, 1);
    return stream;
}

static void forget_fields(struct sp_http2_stream *stream,
                          struct sp_http2_fields *fields)
{
    sp_blocks_take_back(blocks_of(stream), &fields->bytes);
    sp_http2_fields_fini(fields);
}

// A handler that has answered looks at the request no longer.
static void forget_request(struct sp_http2_stream *stream)
{
    forget_fields(stream, &stream->head);
    sp_http2_body_forget(stream);
    if (stream->fields != stream->few) {
        sp_free(stream->fields);
        stream->fields = stream->few;
    }
}

void sp_http2_stream_give_up(struct sp_http2_stream *stream)
{
    const struct sp_exchange_listener *listener = stream->exchange.listener;
    bool told = sp_http2_stream_is_open(stream) && listener != NULL;
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
    forget_fields(stream, &stream->trailers);
    http2->queued -= unsent(stream);
    take_back(stream);
    sp_wait_end(&stream->wait);
    sp_list_remove(&stream->link);
    if (sp_link_used(&stream->due)) {
        sp_list_remove(&stream->due);
    }
    http2->reading = http2->reading == stream ? NULL : http2->reading;
    http2->count--;
    sp_door_count_less(http2->connection->counts, SP_DOOR_OPEN_STREAMS);
    sp_blocks_give(&http2->connection->loop->blocks, stream, sizeof *stream);
}

static void make_due(struct sp_http2_stream *stream)
{
    if (stream->waits) {
        stream->waits = false;
        sp_list_remove(&stream->due);
    }
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
    sp_http2_stream_wait(stream, false);
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
    } else if (stream->full && unsent(stream) <= window_of(stream) / 2) {
        stream->full = false;
        if (sp_http2_stream_is_open(stream) && listener != NULL &&
            listener->writable != NULL) {
            listener->writable(stream->exchange.user);
        }
    }
}

// ---- Answers ----------------------------------------------------------------------

void sp_http2_stream_reset(struct sp_http2_stream *stream, uint32_t code)
{
    if (!stream->closed) {
        (void)nghttp2_submit_rst_stream(
            session_of(stream), NGHTTP2_FLAG_NONE, stream->id, code);
        sp_http2_ask_for_turn(stream->http2);
    }
}

void sp_http2_stream_finish(struct sp_http2_stream *stream)
{
    stream->state = SP_HTTP2_OVER;
    forget_request(stream);
    sp_http2_stream_wait(stream, false);
}

// NOLINTBEGIN(readability-function-size,readability-non-const-parameter): nghttp2's
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
// NOLINTEND(readability-function-size,readability-non-const-parameter)

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
    sp_door_count_status(stream->http2->connection->counts, reply->status);
    sp_http2_ask_for_turn(stream->http2);
    return sp_http2_submit_answer(
        session_of(stream), stream->id, reply, length, none ? NULL : &body);
}

static snakepit_err append(struct sp_http2_stream *stream, struct sp_slice bytes)
{
    if (bytes.size <= PIECE) {
        sp_blocks_lend(blocks_of(stream), &stream->out.bytes, PIECE);
    }
    snakepit_err err = sp_outbox_put(&stream->out, budget_of(stream), bytes);
    if (err == SNAKEPIT_OK) {
        stream->http2->queued += bytes.size;
        sp_http2_stream_wait(stream, false);
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
        sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    sp_http2_stream_finish(stream);
    sp_http2_answered(stream->http2);
}

static void exchange_begin(struct sp_exchange *exchange, const struct sp_reply *reply)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(stream->state == SP_HTTP2_WORK);
    stream->state = SP_HTTP2_ANSWER;
    if (!stream->closed && submit(stream, reply, NULL) != SNAKEPIT_OK) {
        // The handler still believes that it answers; it is told that it is over.
        sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    sp_http2_stream_wait(stream, false);
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
    if (count > 0) {
        sp_blocks_lend(blocks_of(stream), &stream->trailers.bytes, PIECE);
    }
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
        sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    resume(stream);
    sp_http2_stream_finish(stream);
    sp_http2_answered(stream->http2);
}

static void exchange_fail(struct sp_exchange *exchange)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    SP_CHECK(sp_http2_stream_is_open(stream));
    sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    sp_http2_stream_finish(stream);
}

// Whether the client takes all that waits for it.
static bool has_window(const struct sp_http2_stream *stream)
{
    nghttp2_session *session = session_of(stream);
    const int64_t left = (int64_t)unsent(stream);
    return left == 0 || (left <= nghttp2_session_get_stream_remote_window_size(
                                     session, stream->id) &&
                         left <= nghttp2_session_get_remote_window_size(session) &&
                         sp_connection_room(stream->http2->connection) > 0);
}

static void exchange_expire(struct sp_exchange *exchange,
                            const struct sp_field *trailers,
                            size_t count)
{
    struct sp_http2_stream *stream = of_exchange(exchange);
    if (has_window(stream)) {
        exchange_end(exchange, trailers, count);
        return;
    }
    SP_CHECK(stream->state == SP_HTTP2_ANSWER);
    sp_http2_stream_reset(stream, NGHTTP2_CANCEL);
    sp_http2_stream_finish(stream);
}

static size_t exchange_room(const struct sp_exchange *exchange)
{
    // A stream is never constant; only its exchange is to the one who asks.
    struct sp_http2_stream *stream =
        (struct sp_http2_stream *)(uintptr_t)(const void *)exchange;
    size_t queued = unsent(stream);
    size_t window = window_of(stream);
    stream->full = queued >= window;
    return stream->full ? 0 : window - queued;
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
    sp_http2_stream_wait(stream, true);
}

const struct sp_exchange_ops sp_http2_exchange_ops = {
    .reply = exchange_reply,
    .begin = exchange_begin,
    .send = exchange_send,
    .end = exchange_end,
    .fail = exchange_fail,
    .expire = exchange_expire,
    .room = exchange_room,
    .taken = exchange_taken,
};

// Answers without a handler.
void sp_http2_stream_refuse(struct sp_http2_stream *stream,
                            unsigned status,
                            const char *why)
{
    const struct sp_reply reply = sp_problem_reply(status);
    struct sp_buf body = {0};
    if (sp_problem_of_status(&body, status, why) == SNAKEPIT_OK) {
        stream->state = SP_HTTP2_WORK;
        exchange_reply(
            &stream->exchange, &reply, (struct sp_slice){body.data, body.size});
    } else {
        sp_http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
        sp_http2_stream_finish(stream);
    }
    sp_buf_fini(&body);
}

// ---- What is sent -----------------------------------------------------------------

// The last bytes are on their way: trailers end the stream, or these do.
static snakepit_err end_body(struct sp_http2_stream *stream, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers.count == 0) {
        return SNAKEPIT_OK;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    snakepit_err err =
        sp_http2_submit_trailers(session_of(stream), stream->id, &stream->trailers);
    forget_fields(stream, &stream->trailers);
    return err;
}

ssize_t
sp_http2_stream_read(struct sp_http2_stream *stream, size_t most, uint32_t *flags)
{
    size_t left = unsent(stream);
    size_t size = left < most ? left : most;
    if (left == 0 && !stream->ends) {
        stream->resting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= size > 0 ? NGHTTP2_DATA_FLAG_NO_COPY : 0U;
    if (size == left && stream->ends && end_body(stream, flags) != SNAKEPIT_OK) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)size;
}

snakepit_err sp_http2_stream_send(struct sp_http2_stream *stream,
                                  struct sp_slice head,
                                  size_t length)
{
    struct sp_connection *connection = stream->http2->connection;
    const struct sp_slice bytes = {sp_outbox_slice(&stream->out).data, length};
    SP_CHECK(length <= unsent(stream));
    snakepit_err err = sp_connection_send(connection, head);
    if (err == SNAKEPIT_OK) {
        err = sp_connection_send(connection, bytes);
    }
    sp_outbox_sent(&stream->out, budget_of(stream), length);
    stream->http2->queued -= length;
    if (unsent(stream) == 0 && (stream->ends || stream->out.bytes.capacity > KEPT)) {
        take_back(stream);
    }
    if (stream->full && unsent(stream) <= window_of(stream) / 2) {
        make_due(stream);
    }
    sp_http2_stream_wait(stream, true);
    return err;
}

void sp_http2_stream_late(struct sp_http2_stream *stream, enum sp_wait_for what)
{
    if (what == SP_WAIT_BODY && stream->state == SP_HTTP2_BODY) {
        sp_http2_stream_refuse(
            stream, 408, "the body did not go on within body_timeout_ms");
    } else {
        sp_http2_stream_reset(stream,
                              what == SP_WAIT_END ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    }
}
