// SPDX-License-Identifier: MIT
#include "fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define WAIT_S 20u

// ---- What a protocol does ---------------------------------------------------------

static struct fake_exchange *fake_of(struct sp_exchange *exchange)
{
    return (struct fake_exchange *)(void *)exchange;
}

static void append(struct fake_exchange *fake, struct sp_slice bytes)
{
    assert_false(fake->ended);
    assert_int_equal(sp_buf_append(&fake->body, bytes.data, bytes.size), SNAKEPIT_OK);
}

static void
keep_fields(struct fake_exchange *fake, const struct sp_field *fields, size_t count)
{
    size_t at = strlen(fake->fields);
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(fake->fields + at,
                               sizeof fake->fields - at,
                               "%.*s: %.*s\n",
                               (int)fields[i].name.size,
                               (const char *)fields[i].name.data,
                               (int)fields[i].value.size,
                               (const char *)fields[i].value.data);
        assert_true(at < sizeof fake->fields);
    }
}

static void begin(struct sp_exchange *exchange, const struct sp_reply *reply)
{
    struct fake_exchange *fake = fake_of(exchange);
    assert_false(fake->gone);
    assert_int_equal(fake->replies, 0);
    fake->replies++;
    fake->status = reply->status;
    (void)snprintf(
        fake->type, sizeof fake->type, "%s", reply->type == NULL ? "" : reply->type);
    keep_fields(fake, reply->fields, reply->field_count);
}

static void reply_whole(struct sp_exchange *exchange,
                        const struct sp_reply *reply,
                        struct sp_slice body)
{
    begin(exchange, reply);
    append(fake_of(exchange), body);
    fake_of(exchange)->ended = true;
}

static snakepit_err send_piece(struct sp_exchange *exchange, struct sp_slice bytes)
{
    struct fake_exchange *fake = fake_of(exchange);
    assert_int_equal(fake->replies, 1);
    append(fake, bytes);
    fake->sends++;
    fake->room = bytes.size < fake->room ? fake->room - bytes.size : 0;
    return SNAKEPIT_OK;
}

static void
end(struct sp_exchange *exchange, const struct sp_field *trailers, size_t count)
{
    assert_int_equal(fake_of(exchange)->replies, 1);
    assert_false(fake_of(exchange)->ended);
    keep_fields(fake_of(exchange), trailers, count);
    fake_of(exchange)->ended = true;
}

static void fail_it(struct sp_exchange *exchange)
{
    end(exchange, NULL, 0);
    fake_of(exchange)->failed = true;
}

static size_t room(const struct sp_exchange *exchange)
{
    return ((const struct fake_exchange *)(const void *)exchange)->room;
}

static void taken(struct sp_exchange *exchange, size_t bytes)
{
    assert_false(fake_of(exchange)->ended);
    fake_of(exchange)->taken += bytes;
}

static const struct sp_exchange_ops ops = {.reply = reply_whole,
                                           .begin = begin,
                                           .send = send_piece,
                                           .end = end,
                                           .fail = fail_it,
                                           .room = room,
                                           .taken = taken};

// ---- The daemon -----------------------------------------------------------------

static void on_woken(void *user)
{
    (void)user;
}

static void on_news(struct sp_watch *watch)
{
    while (snakepit_queue_drain(watch->user, 0) > 0) {
    }
}

void fake_daemon_open(struct fake_daemon *daemon, snakepit *pit, const char *path)
{
    snakepit_message why;
    int fd;
    *daemon =
        (struct fake_daemon){.config = {.tracebacks = true, .max_values = 10000000}};
    const struct sp_api_options options = {.pit = pit, .path = path};
    daemon->options = (struct sp_server_options){.pit = pit,
                                                 .config = &daemon->config,
                                                 .handle = sp_api_handle,
                                                 .user = sp_api_new(&options)};
    assert_non_null(daemon->options.user);
    assert_int_equal(sp_loop_init(&daemon->loop.loop, on_woken, NULL, &why),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_new(pit, &daemon->loop.queue, &why), SNAKEPIT_OK);
    assert_int_equal(snakepit_queue_fd(daemon->loop.queue, &fd), SNAKEPIT_OK);
    daemon->loop.options = &daemon->options;
    daemon->loop.server = &daemon->server;
    daemon->loop.queue_watch.user = daemon->loop.queue;
    assert_int_equal(
        sp_watch_start(
            &daemon->loop.queue_watch, &daemon->loop.loop, fd, on_news, &why),
        SNAKEPIT_OK);
    daemon->door.local = true;
    (void)snprintf(daemon->door.address, sizeof daemon->door.address, "127.0.0.1:8470");
    daemon->peer.door = &daemon->door;
}

void fake_daemon_close(struct fake_daemon *daemon)
{
    sp_watch_stop(&daemon->loop.queue_watch);
    sp_api_free(daemon->options.user);
    while (snakepit_queue_free(daemon->loop.queue) == SNAKEPIT_BUSY) {
        (void)snakepit_queue_drain(daemon->loop.queue, 100);
    }
    sp_blocks_fini(&daemon->loop.blocks);
    sp_loop_fini(&daemon->loop.loop);
}

struct look {
    struct fake_daemon *daemon;
    const bool *until;
    uint64_t end;
    bool timed_out;
};

static void on_look(struct sp_timer *timer)
{
    struct look *look = timer->user;
    on_news(&look->daemon->loop.queue_watch);
    look->timed_out = sp_clock_now() >= look->end;
    if (look->timed_out || (look->until != NULL && *look->until)) {
        sp_loop_stop(&look->daemon->loop.loop);
    }
}

void fake_daemon_run(struct fake_daemon *daemon, const bool *until)
{
    struct look look = {.daemon = daemon, .until = until};
    struct sp_timer timer = {.user = &look};
    look.end =
        sp_clock_now() + (until == NULL ? 50 * SP_NS_PER_MS : WAIT_S * SP_NS_PER_S);
    on_news(&daemon->loop.queue_watch);
    sp_timer_start(&daemon->loop.loop, &timer, on_look, 0, 1);
    daemon->loop.loop.stop = false;
    sp_loop_run(&daemon->loop.loop);
    sp_timer_stop(&timer);
    assert_true(until == NULL || *until);
}

// ---- The client -----------------------------------------------------------------

static enum sp_method method_of(const char *line)
{
    static const char *const names[] = {[SP_METHOD_GET] = "GET ",
                                        [SP_METHOD_HEAD] = "HEAD ",
                                        [SP_METHOD_POST] = "POST ",
                                        [SP_METHOD_PUT] = "PUT ",
                                        [SP_METHOD_DELETE] = "DELETE ",
                                        [SP_METHOD_OPTIONS] = "OPTIONS "};
    for (int i = 0; i < (int)SP_METHOD_OTHER; i++) {
        if (strncmp(line, names[i], strlen(names[i])) == 0) {
            return (enum sp_method)i;
        }
    }
    return SP_METHOD_OTHER;
}

void fake_request(struct fake_exchange *fake,
                  struct fake_daemon *daemon,
                  const char *line,
                  const char *body)
{
    const char *target = strchr(line, ' ') + 1;
    const char *query = strchr(target, '?');
    fake_free(fake);
    *fake = (struct fake_exchange){.room = SIZE_MAX};
    fake->exchange.ops = &ops;
    fake->exchange.loop = &daemon->loop;
    fake->exchange.peer = &daemon->peer;
    fake->exchange.request =
        (struct sp_request){.method = method_of(line),
                            .path = sp_slice_of_text(target),
                            .host = sp_slice_of_text("127.0.0.1:8470"),
                            .fields = fake->sent,
                            .body = sp_slice_of_text(body == NULL ? "" : body)};
    if (query != NULL) {
        fake->exchange.request.path.size = (size_t)(query - target);
        fake->exchange.request.query = sp_slice_of_text(query + 1);
    }
    if (body != NULL) {
        fake_field(fake, "content-type", "application/json");
    }
}

void fake_field(struct fake_exchange *fake, const char *name, const char *value)
{
    assert_true(fake->exchange.request.field_count < FAKE_FIELDS_MOST);
    fake->sent[fake->exchange.request.field_count++] =
        (struct sp_field){sp_slice_of_text(name), sp_slice_of_text(value)};
}

void fake_handle_only(struct fake_exchange *fake)
{
    fake->exchange.loop->options->handle(&fake->exchange);
}

void fake_handle(struct fake_exchange *fake, struct fake_daemon *daemon)
{
    fake_handle_only(fake);
    if (!fake->ended) {
        fake_daemon_run(daemon, &fake->ended);
    }
}

void fake_grpc_request(struct fake_exchange *fake,
                       struct fake_daemon *daemon,
                       const char *path)
{
    char line[128];
    (void)snprintf(line, sizeof line, "POST %s", path);
    fake_request(fake, daemon, line, NULL);
    fake->exchange.request.path = sp_slice_of_text(path);
    fake->exchange.request.version = 2;
    fake->exchange.request.streaming = true;
}

void fake_receive(struct fake_exchange *fake, struct sp_slice bytes)
{
    if (!fake->ended) {
        fake->exchange.listener->received(fake->exchange.user, bytes);
    }
}

void fake_complete(struct fake_exchange *fake)
{
    if (!fake->ended) {
        fake->exchange.listener->complete(fake->exchange.user);
    }
}

void fake_leave(struct fake_exchange *fake)
{
    assert_false(fake->ended);
    assert_non_null(fake->exchange.listener);
    fake->gone = true;
    fake->exchange.listener->gone(fake->exchange.user);
}

const char *fake_body(struct fake_exchange *fake)
{
    assert_int_equal(sp_buf_reserve(&fake->body, 1), SNAKEPIT_OK);
    fake->body.data[fake->body.size] = '\0';
    return (const char *)fake->body.data;
}

void fake_free(struct fake_exchange *fake)
{
    sp_buf_fini(&fake->body);
}
