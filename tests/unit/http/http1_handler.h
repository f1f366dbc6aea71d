// SPDX-License-Identifier: MIT
// What tests of protocols have in common: a handler that does as it is told.
#ifndef TESTS_UNIT_HTTP_HTTP1_HANDLER_H
#define TESTS_UNIT_HTTP_HTTP1_HANDLER_H

#include "fake_connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

// Behind the others: `fail` is a macro of it.
#include <cmocka.h>

#include "base/clock.h"

#define DATE  "Date: -----------------------------\r\n"
#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define PLAIN "Content-Type: text/plain\r\n"
#define FULL  "HTTP/1.1 200 OK\r\n" DATE PLAIN

// ---- A handler --------------------------------------------------------------------

enum act {
    ECHO = 0, // answers at once with method, path, query and body
    KEEP,     // answers when the test says so
    EMPTY,    // 204
    WEIRD,    // with fields of its own
    LARGE,    // with 1000 bytes
    BROKEN,   // fails at once
    SLOW,     // answers at once, with all of its turn gone
};

static struct {
    enum act act;
    unsigned calls;
    unsigned gone;
    unsigned writable;
    struct sp_exchange *kept;
    char body[4096]; // of the last request
    size_t body_size;
} seen;

static inline void on_gone(void *user)
{
    assert_ptr_equal(user, &seen);
    seen.gone++;
    seen.kept = NULL;
}

static inline void on_writable(void *user)
{
    assert_ptr_equal(user, &seen);
    seen.writable++;
}

static const struct sp_exchange_listener listener = {.gone = on_gone,
                                                     .writable = on_writable};

static inline struct sp_slice slice(const char *text)
{
    return sp_slice_of_text(text);
}

static inline void echo(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    const struct sp_reply reply = {.status = 200, .type = "text/plain"};
    char text[8192];
    int size = snprintf(text,
                        sizeof text,
                        "%u %.*s?%.*s %.*s %zu:%.*s\n",
                        request->method,
                        (int)request->path.size,
                        (const char *)request->path.data,
                        (int)request->query.size,
                        (const char *)request->query.data,
                        (int)request->host.size,
                        (const char *)request->host.data,
                        request->body.size,
                        (int)(request->body.size < 4000 ? request->body.size : 4000),
                        (const char *)request->body.data);
    sp_exchange_reply(
        exchange, &reply, (struct sp_slice){(const uint8_t *)text, (size_t)size});
}

static inline void reply_weird(struct sp_exchange *exchange)
{
    const struct sp_field fields[] = {
        {slice("allow"), slice("GET, HEAD")},
        {slice("x-split"), slice("a\r\nSet-Cookie: b")},
        {slice("x-empty"), slice("")},
    };
    const struct sp_reply reply = {.status = 405, .fields = fields, .field_count = 3};
    sp_exchange_reply(exchange, &reply, slice(""));
}

static inline void reply_large(struct sp_exchange *exchange)
{
    static uint8_t bytes[1000];
    const struct sp_reply reply = {.status = 200, .type = "text/plain"};
    memset(bytes, 'x', sizeof bytes);
    sp_exchange_reply(exchange, &reply, (struct sp_slice){bytes, sizeof bytes});
}

static inline void reply_late(struct sp_exchange *exchange)
{
    const uint64_t until = sp_clock_now() + 10 * SP_NS_PER_MS;
    while (sp_clock_now() < until) {
    }
    echo(exchange);
}

static inline void handle(struct sp_exchange *exchange)
{
    static const struct sp_reply none = {.status = 204};
    const struct sp_slice body = exchange->request.body;
    seen.calls++;
    seen.body_size = body.size;
    if (body.size != 0) {
        memcpy(seen.body, body.data, body.size < 4096 ? body.size : 4096);
    }
    assert_ptr_equal(exchange->peer, &fake.connection.peer);
    assert_ptr_equal(exchange->loop, &fake.loop);
    switch (seen.act) {
    case ECHO:
        echo(exchange);
        break;
    case KEEP:
        exchange->listener = &listener;
        exchange->user = &seen;
        seen.kept = exchange;
        break;
    case EMPTY:
        sp_exchange_reply(exchange, &none, slice(""));
        break;
    case WEIRD:
        reply_weird(exchange);
        break;
    case LARGE:
        reply_large(exchange);
        break;
    case BROKEN:
        sp_exchange_fail(exchange);
        break;
    case SLOW:
        reply_late(exchange);
        break;
    }
}

static inline void start_on(const struct sp_protocol *protocol, enum act act)
{
    memset(&seen, 0, sizeof seen);
    seen.act = act;
    assert_int_equal(fake_open(protocol, handle), SNAKEPIT_OK);
}

static inline void start(enum act act)
{
    start_on(&sp_http1, act);
}

static const struct sp_reply plain = {.status = 200, .type = "text/plain"};

static inline void reply_kept(const char *text)
{
    struct sp_exchange *kept = seen.kept;
    seen.kept = NULL;
    sp_exchange_reply(kept, &plain, slice(text));
    fake_turn();
}

static inline void end_kept(void)
{
    struct sp_exchange *kept = seen.kept;
    seen.kept = NULL;
    sp_exchange_end(kept);
    fake_turn();
}

static inline void check_sent(const char *text)
{
    assert_string_equal(fake_takes_text(), text);
}

#endif
