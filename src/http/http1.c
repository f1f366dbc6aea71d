// SPDX-License-Identifier: MIT
// One request at a time: while a handler has one, its connection reads nothing, so that
// a client which sends many at once is held back by its own socket. A request is handed
// over when its body is whole; the body is read straight into the block that the
// handler gets.
//
// What a connection keeps from one request to the next is small: whoever is idle costs
// little, and a small request allocates nothing.
#include "server/connection.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http.h"
#include "http/http1_answer.h"
#include "http/http1_body.h"
#include "http/http1_parser.h"
#include "http/problem.h"
#include "server/server.h"

#define FEW  24u   // fields for which there is always room
#define KEPT 1024u // bytes of a buffer that is kept for the next request

// For what a client asks without waiting for answers, while others wait.
#define TURN_NS (2 * SP_NS_PER_MS)

enum state {
    HEAD = 0, // of the next request; nothing of it may be there yet
    BODY,     // of it
    WORK,     // a handler has the request
    ANSWER,   // and has begun to answer
    OVER,     // nothing is read any more; what is queued is still sent
};

struct http1 {
    struct sp_exchange exchange; // first: exchange_room()
    struct sp_connection *connection;
    enum state state;
    bool reading;    // within received(), which goes on by itself
    bool keep_alive; // after this answer
    bool draining;
    bool held;                     // until the client takes some of what it was sent
    struct sp_timer next_turn;     // runs while others have theirs
    enum sp_http1_framing framing; // of the answer that has begun
    struct sp_http1_scan scan;
    struct sp_http1_head head;
    struct sp_buf head_bytes;
    struct sp_http1_body body;
    struct sp_field *fields; // `few`, or many
    struct sp_field few[FEW];
};

static struct http1 *of_connection(const struct sp_connection *connection)
{
    return connection->user;
}

static struct http1 *of_exchange(struct sp_exchange *exchange)
{
    return SP_ENTRY(exchange, struct http1, exchange);
}

static const struct sp_serve_config *config_of(const struct http1 *http1)
{
    return http1->connection->loop->options->config;
}

static bool is_open(const struct http1 *http1)
{
    return http1->state == WORK || http1->state == ANSWER;
}

// ---- The end of a request -------------------------------------------------------

static void shrink(struct sp_buf *buf)
{
    buf->size = 0;
    if (buf->capacity > KEPT) {
        sp_buf_fini(buf);
    }
}

static void forget_request(struct http1 *http1)
{
    shrink(&http1->head_bytes);
    sp_http1_body_forget(&http1->body, http1->connection, KEPT);
    if (http1->fields != http1->few) {
        sp_free(http1->fields);
        http1->fields = http1->few;
    }
    http1->scan = (struct sp_http1_scan){0};
}

// Closes when all has been sent.
static void leave(struct http1 *http1)
{
    forget_request(http1);
    http1->state = OVER;
    sp_connection_close_after(http1->connection);
}

// Closes at once: the client is not to take what it has for all there is.
static void break_off(struct http1 *http1)
{
    http1->state = OVER;
    sp_connection_abort(http1->connection);
}

// What has come before the end is still served, and nothing behind it.
static bool is_last(const struct http1 *http1)
{
    return http1->draining && http1->connection->in.size == 0;
}

static void finish(struct http1 *http1)
{
    if (!http1->keep_alive || is_last(http1)) {
        leave(http1);
        return;
    }
    http1->state = HEAD;
    forget_request(http1);
    sp_connection_wait_for(http1->connection, SP_WAIT_REQUEST);
    if (!http1->reading) {
        sp_connection_pause(http1->connection, false);
    }
}

// The client has gone: the handler is told, once.
static void give_up(struct http1 *http1)
{
    const struct sp_exchange_listener *listener = http1->exchange.listener;
    bool told = is_open(http1) && listener != NULL;
    http1->state = OVER;
    if (told) {
        listener->gone(http1->exchange.user);
    }
}

// ---- Answers --------------------------------------------------------------------

// HEAD asks for all but the body.
static bool wants_body(const struct http1 *http1)
{
    return http1->head.method != SP_METHOD_HEAD;
}

static snakepit_err
send_answer(struct http1 *http1, const struct sp_reply *reply, struct sp_slice body)
{
    http1->keep_alive = http1->head.keep_alive && !is_last(http1) &&
                        http1->framing != SP_HTTP1_BODY_CLOSE;
    const struct sp_http1_answer answer = {
        .reply = reply,
        .framing = http1->framing,
        .length = body.size,
        .keep_alive = http1->keep_alive,
        .says_so = http1->head.minor == 0,
    };
    body.size = wants_body(http1) ? body.size : 0;
    sp_door_count_status(http1->connection->counts, reply->status);
    return sp_http1_send_answer(http1->connection, &answer, body);
}

static void exchange_reply(struct sp_exchange *exchange,
                           const struct sp_reply *reply,
                           struct sp_slice body)
{
    struct http1 *http1 = of_exchange(exchange);
    SP_CHECK(http1->state == WORK);
    http1->framing = SP_HTTP1_BODY_LENGTH;
    if (send_answer(http1, reply, body) == SNAKEPIT_OK) {
        finish(http1);
    } else {
        break_off(http1);
    }
}

static void exchange_begin(struct sp_exchange *exchange, const struct sp_reply *reply)
{
    struct http1 *http1 = of_exchange(exchange);
    SP_CHECK(http1->state == WORK);
    http1->state = ANSWER;
    http1->framing =
        http1->head.minor > 0 ? SP_HTTP1_BODY_CHUNKED : SP_HTTP1_BODY_CLOSE;
    if (send_answer(http1, reply, (struct sp_slice){NULL, 0}) != SNAKEPIT_OK) {
        // The handler still believes that it answers; it is told that it is over.
        sp_connection_abort(http1->connection);
    }
}

static snakepit_err exchange_send(struct sp_exchange *exchange, struct sp_slice bytes)
{
    struct http1 *http1 = of_exchange(exchange);
    SP_CHECK(http1->state == ANSWER);
    if (!wants_body(http1)) {
        return SNAKEPIT_OK;
    }
    return http1->framing == SP_HTTP1_BODY_CHUNKED
               ? sp_http1_send_chunk(http1->connection, bytes)
               : sp_connection_send(http1->connection, bytes);
}

static void exchange_end(struct sp_exchange *exchange,
                         const struct sp_field *trailers,
                         size_t count)
{
    (void)trailers;
    (void)count;
    struct http1 *http1 = of_exchange(exchange);
    SP_CHECK(http1->state == ANSWER);
    bool last = http1->framing == SP_HTTP1_BODY_CHUNKED && wants_body(http1);
    if (last && sp_http1_send_last_chunk(http1->connection) != SNAKEPIT_OK) {
        break_off(http1);
    } else {
        finish(http1);
    }
}

// Of chunks the last one is missing, after what has been sent. Where only the end of
// the connection ends a body, what is left of it is not sent.
static void exchange_fail(struct sp_exchange *exchange)
{
    struct http1 *http1 = of_exchange(exchange);
    SP_CHECK(is_open(http1));
    if (http1->state == ANSWER && http1->framing == SP_HTTP1_BODY_CHUNKED) {
        leave(http1);
    } else {
        break_off(http1);
    }
}

static size_t exchange_room(const struct sp_exchange *exchange)
{
    const struct http1 *http1 = (const struct http1 *)(const void *)exchange;
    return sp_connection_room(http1->connection);
}

static const struct sp_exchange_ops exchange_ops = {
    .reply = exchange_reply,
    .begin = exchange_begin,
    .send = exchange_send,
    .end = exchange_end,
    .fail = exchange_fail,
    .room = exchange_room,
};

// Answers without a handler, and closes: nobody knows where another request begins.
static void refuse(struct http1 *http1, unsigned status, const char *why)
{
    const struct sp_reply reply = sp_problem_reply(status);
    struct sp_buf body = {0};
    if (http1->state == HEAD) {
        // What is there of one is of another request, or half of one.
        http1->head = (struct sp_http1_head){.minor = 1};
    }
    http1->head.keep_alive = false;
    http1->framing = SP_HTTP1_BODY_LENGTH;
    snakepit_err err = sp_problem_of_status(&body, status, why);
    if (err == SNAKEPIT_OK) {
        err = send_answer(http1, &reply, (struct sp_slice){body.data, body.size});
    }
    if (err == SNAKEPIT_OK) {
        leave(http1);
    } else {
        break_off(http1);
    }
    sp_buf_fini(&body);
}

// ---- Requests -------------------------------------------------------------------

static void make_exchange(struct http1 *http1)
{
    struct sp_connection *connection = http1->connection;
    const struct sp_http1_head *head = &http1->head;
    struct sp_buf *body = &http1->body.block.bytes;
    http1->state = WORK;
    http1->exchange = (struct sp_exchange){
        .ops = &exchange_ops,
        .loop = connection->loop,
        .peer = &connection->peer,
        .request = {.method = head->method,
                    .secure = sp_connection_is_secure(connection),
                    .version = 1,
                    .path = head->path,
                    .query = head->query,
                    .host = head->host,
                    .fields = http1->fields,
                    .field_count = head->field_count,
                    .body = {body->data, body->size},
                    .body_buf = body},
    };
}

static void hand_over(struct http1 *http1)
{
    struct sp_connection *connection = http1->connection;
    make_exchange(http1);
    connection->loop->options->handle(&http1->exchange);
    if (is_open(http1)) {
        sp_connection_pause(connection, true);
        sp_connection_wait_for(connection, SP_WAIT_NOTHING);
    }
}

// Whether the body of this request is wanted. Where it is not, the answer is the last
// one, for the body would come behind it.
static bool is_admitted(struct http1 *http1)
{
    sp_admit_fn *admit = http1->connection->loop->options->admit;
    const bool keep_alive = http1->head.keep_alive;
    if (admit == NULL) {
        return true;
    }
    make_exchange(http1);
    http1->head.keep_alive = false;
    if (!admit(&http1->exchange)) {
        return false;
    }
    http1->head.keep_alive = keep_alive;
    return true;
}

// These return whether more can be done with what there is.

static bool read_body(struct http1 *http1)
{
    struct sp_refusal refusal;
    switch (
        sp_http1_body_read(&http1->body, http1->connection, sp_clock_now(), &refusal)) {
    case SP_HTTP1_BODY_IS_WHOLE:
        hand_over(http1);
        return true;
    case SP_HTTP1_BODY_IS_REFUSED:
        refuse(http1, refusal.status, refusal.why);
        return false;
    case SP_HTTP1_BODY_IS_BROKEN:
        break_off(http1);
        return false;
    default:
        sp_connection_wait_for(http1->connection, SP_WAIT_BODY);
        return false;
    }
}

static bool begin_body(struct http1 *http1)
{
    const struct sp_http1_head *head = &http1->head;
    const size_t most = (size_t)config_of(http1)->max_message;
    if (head->length > most) {
        refuse(http1, 413, "the body is larger than max_message");
        return false;
    }
    if (!head->chunked && head->length == 0) {
        hand_over(http1);
        return true;
    }
    if (!is_admitted(http1)) {
        return false;
    }
    http1->state = BODY;
    sp_http1_body_begin(&http1->body, head, most, sp_clock_now());
    if (head->wants_continue && http1->connection->in.size == 0 &&
        sp_http1_send_continue(http1->connection) != SNAKEPIT_OK) {
        break_off(http1);
        return false;
    }
    return true;
}

// Where the bytes of the connection cannot move them, since the request lies in them.
static snakepit_err take_head(struct http1 *http1, size_t size)
{
    struct sp_connection *connection = http1->connection;
    size_t count = sp_http1_scan_fields(&http1->scan);
    if (count > FEW) {
        struct sp_field *many = sp_alloc_array(count, sizeof *many);
        if (many == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        http1->fields = many;
    }
    snakepit_err err = sp_buf_append(&http1->head_bytes, connection->in.data, size);
    if (err == SNAKEPIT_OK) {
        sp_connection_consume(connection, size);
    }
    return err;
}

static bool read_head(struct http1 *http1)
{
    struct sp_connection *connection = http1->connection;
    struct sp_slice bytes = {connection->in.data, connection->in.size};
    bool first = http1->scan.at == 0;
    size_t limit = (size_t)config_of(http1)->max_header_size;
    struct sp_refusal refusal;
    size_t size = sp_http1_scan(&http1->scan, bytes, limit, &refusal);
    if (size == 0 && refusal.status == 0) {
        if (first && bytes.size != 0) {
            sp_connection_wait_for(connection, SP_WAIT_HEADER);
        }
        return false;
    }
    if (size != 0 && take_head(http1, size) != SNAKEPIT_OK) {
        break_off(http1);
        return false;
    }
    if (size != 0) {
        refusal = sp_http1_read_head(
            http1->head_bytes.data, size, http1->fields, &http1->head);
    }
    if (refusal.status != 0) {
        refuse(http1, refusal.status, refusal.why);
        return false;
    }
    return begin_body(http1);
}

// ---- What the connection tells --------------------------------------------------

static snakepit_err open_http1(struct sp_connection *connection)
{
    struct http1 *http1 = sp_alloc(sizeof *http1);
    if (http1 == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    http1->connection = connection;
    http1->fields = http1->few;
    http1->next_turn.user = http1;
    connection->user = http1;
    return SNAKEPIT_OK;
}

// A client that asks and asks, and does not read, is not to fill our memory with
// answers.
static bool is_held_back(struct http1 *http1)
{
    http1->held = sp_connection_room(http1->connection) == 0;
    if (http1->held) {
        sp_connection_pause(http1->connection, true);
    }
    return http1->held;
}

static void on_next_turn(struct sp_timer *timer)
{
    struct http1 *http1 = timer->user;
    sp_connection_pause(http1->connection, false);
}

// Nor are others to wait until all is done that it has asked. `*began` is when this
// turn began; 0: it begins.
static bool has_had_its_turn(struct http1 *http1, uint64_t *began)
{
    struct sp_connection *connection = http1->connection;
    if (connection->in.size == 0) {
        return false;
    }
    const uint64_t now = sp_clock_now();
    *began = *began == 0 ? now : *began;
    if (now - *began < TURN_NS) {
        return false;
    }
    sp_connection_pause(connection, true);
    sp_timer_start(&connection->loop->loop, &http1->next_turn, on_next_turn, 0, 0);
    return true;
}

static void received(struct sp_connection *connection)
{
    struct http1 *http1 = of_connection(connection);
    uint64_t began = 0;
    if (sp_timer_runs(&http1->next_turn)) {
        return;
    }
    http1->reading = true;
    for (bool goes_on = true; goes_on;) {
        if (http1->state == HEAD) {
            goes_on = !is_held_back(http1) && !has_had_its_turn(http1, &began) &&
                      read_head(http1);
        } else {
            goes_on = http1->state == BODY && read_body(http1);
        }
    }
    http1->reading = false;
}

// Whoever has nothing more to say while a call of its works has most likely gone; see
// decision 0051.
static void ended(struct sp_connection *connection)
{
    struct http1 *http1 = of_connection(connection);
    if (is_open(http1)) {
        give_up(http1);
        sp_connection_abort(connection);
    }
}

static void writable(struct sp_connection *connection)
{
    struct http1 *http1 = of_connection(connection);
    const struct sp_exchange_listener *listener = http1->exchange.listener;
    if (http1->held) {
        http1->held = false;
        sp_connection_pause(connection, false);
    } else if (is_open(http1) && listener != NULL && listener->writable != NULL) {
        listener->writable(http1->exchange.user);
    }
}

static void late(struct sp_connection *connection, enum sp_wait_for what)
{
    struct http1 *http1 = of_connection(connection);
    if (what == SP_WAIT_HEADER && http1->state == HEAD) {
        refuse(http1, 408, "the header did not come within header_timeout_ms");
    } else if (what == SP_WAIT_BODY && http1->state == BODY) {
        refuse(http1, 408, "the body did not go on within body_timeout_ms");
    }
}

static bool drain(struct sp_connection *connection)
{
    struct http1 *http1 = of_connection(connection);
    http1->draining = true;
    return http1->state == HEAD && connection->in.size == 0;
}

static void close_http1(struct sp_connection *connection)
{
    struct http1 *http1 = of_connection(connection);
    sp_timer_stop(&http1->next_turn);
    give_up(http1);
    forget_request(http1);
    sp_buf_fini(&http1->head_bytes);
    sp_http1_body_forget(&http1->body, http1->connection, 0);
    sp_free(http1);
}

const struct sp_protocol sp_http1 = {
    .open = open_http1,
    .received = received,
    .ended = ended,
    .writable = writable,
    .late = late,
    .drain = drain,
    .close = close_http1,
};
