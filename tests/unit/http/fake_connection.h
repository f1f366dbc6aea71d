// SPDX-License-Identifier: MIT
// A connection without a socket, for tests of protocols: what a client would send is
// handed in, what it would be sent is kept. It behaves as server/connection.h says.
#ifndef TESTS_UNIT_HTTP_FAKE_CONNECTION_H
#define TESTS_UNIT_HTTP_FAKE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http.h"
#include "http/http2.h"
#include "server/connection.h"
#include "server/server.h"

#define FAKE_OUT  262144u // bytes that the client can be sent
#define FAKE_IN   65536u  // that can be read before they are taken
#define FAKE_ROOM 65536u  // that are taken before it is full

static struct fake {
    struct sp_serve_config config;
    struct sp_server_options options;
    struct sp_serve_loop loop;
    struct sp_connection connection;
    bool open;
    bool resumed;     // what is left is to be handed out once more
    bool others_come; // and have their turns when the test says so
    bool aborted;
    size_t room;
    size_t sends;         // calls of sp_connection_send()
    size_t early;         // bytes that did not wait for the end of the turn
    size_t read_directly; // bytes that went where they belong
    size_t sent;
    char out[FAKE_OUT + 1]; // what the client was sent, as a text
} fake;

// ---- What protocols call ------------------------------------------------------------

void sp_connection_consume(struct sp_connection *connection, size_t bytes)
{
    struct sp_buf *in = &connection->in;
    SP_CHECK(bytes <= in->size);
    in->size -= bytes;
    if (bytes != 0) {
        memmove(in->data, in->data + bytes, in->size);
    }
}

void sp_connection_expect(struct sp_connection *connection,
                          struct sp_buf *buf,
                          size_t bytes)
{
    SP_CHECK(bytes == 0 || connection->in.size == 0);
    SP_CHECK(bytes == 0 || bytes <= buf->capacity - buf->size);
    connection->sink = bytes > 0 ? buf : NULL;
    connection->expected = bytes;
}

void sp_connection_pause(struct sp_connection *connection, bool paused)
{
    fake.resumed = fake.resumed || (connection->paused && !paused);
    connection->paused = paused;
}

snakepit_err sp_connection_send(struct sp_connection *connection, struct sp_slice bytes)
{
    (void)connection;
    fake.sends++;
    SP_CHECK(bytes.size <= FAKE_OUT - fake.sent);
    if (bytes.size != 0) {
        memcpy(fake.out + fake.sent, bytes.data, bytes.size);
    }
    fake.sent += bytes.size;
    fake.out[fake.sent] = '\0';
    return SNAKEPIT_OK;
}

void sp_connection_send_now(struct sp_connection *connection)
{
    (void)connection;
    fake.early = fake.sent;
}

size_t sp_connection_room(struct sp_connection *connection)
{
    connection->full = fake.room == 0;
    return fake.room;
}

void sp_connection_close_after(struct sp_connection *connection)
{
    connection->closing = true;
}

void sp_connection_abort(struct sp_connection *connection)
{
    connection->lost = true;
}

void sp_connection_wait_for(struct sp_connection *connection, enum sp_wait_for what)
{
    connection->waits_for = what;
}

// ---- What tests call ----------------------------------------------------------------

// A new connection. NO_MEMORY.
static inline snakepit_err fake_open(const struct sp_protocol *protocol,
                                     sp_handler_fn *handle)
{
    memset(&fake, 0, offsetof(struct fake, out) + 1);
    fake.config.max_message = 100000;
    fake.config.max_header_size = 8192;
    fake.config.max_streams = 100;
    fake.config.body_timeout_ms = 30000;
    fake.config.write_timeout_ms = 30000;
    sp_list_init(&fake.loop.loop.tasks);
    sp_list_init(&fake.loop.loop.timers);
    sp_http2_waits_init(&fake.loop.streams, &fake.loop.loop, &fake.config);
    fake.options.config = &fake.config;
    fake.options.handle = handle;
    fake.loop.options = &fake.options;
    fake.connection.loop = &fake.loop;
    fake.connection.protocol = protocol;
    fake.connection.waits_for = SP_WAIT_REQUEST;
    fake.room = FAKE_ROOM;
    // Tests count what the protocol allocates.
    SP_CHECK(sp_buf_reserve(&fake.connection.in, FAKE_IN) == SNAKEPIT_OK);
    snakepit_err err = protocol->open(&fake.connection);
    fake.open = err == SNAKEPIT_OK;
    return err;
}

static inline void fake_close(void)
{
    if (fake.open) {
        fake.connection.protocol->close(&fake.connection);
    }
    fake.open = false;
    sp_blocks_fini(&fake.loop.blocks);
    sp_buf_fini(&fake.connection.in);
}

static inline bool fake_is_closed(void)
{
    return fake.connection.closing || fake.connection.lost;
}

static inline void fake_run_tasks(void)
{
    struct sp_link *link;
    while ((link = sp_list_take(&fake.loop.loop.tasks)) != NULL) {
        struct sp_task *task = SP_ENTRY(link, struct sp_task, link);
        task->run(task);
    }
}

// Fires the first timer if its time has come.
static inline bool fake_fires(void)
{
    if (sp_list_empty(&fake.loop.loop.timers)) {
        return false;
    }
    struct sp_link *link = fake.loop.loop.timers.next;
    struct sp_timer *timer = SP_ENTRY(link, struct sp_timer, link);
    if (timer->due > sp_clock_now()) {
        return false;
    }
    sp_timer_stop(timer);
    timer->fire(timer);
    return true;
}

// What a loop does between two events. However slow the machine is, a connection whose
// turn is over goes on: there are no others.
static inline void fake_turn(void)
{
    struct sp_connection *connection = &fake.connection;
    fake_run_tasks();
    do {
        while (fake.resumed && !connection->paused && !fake_is_closed()) {
            fake.resumed = false;
            if (connection->in.size != 0) {
                connection->protocol->received(connection);
            }
        }
    } while (!fake_is_closed() && connection->paused && !fake.others_come &&
             fake_fires());
}

// As much as one read(2) would take; how much that was.
static inline size_t fake_receive(const char *bytes, size_t size)
{
    struct sp_connection *connection = &fake.connection;
    struct sp_buf *to = &connection->in;
    if (connection->sink != NULL) {
        to = connection->sink;
        size = size < connection->expected ? size : connection->expected;
        connection->expected -= size;
        connection->sink = connection->expected != 0 ? to : NULL;
        fake.read_directly += size;
    }
    SP_CHECK(size <= to->capacity - to->size);
    memcpy(to->data + to->size, bytes, size);
    to->size += size;
    connection->protocol->received(connection);
    fake_turn();
    return size;
}

// The client sends `size` bytes, `step` at a time; what is not read stays with it. How
// much was read.
static inline size_t fake_sends_bytes(const char *bytes, size_t size, size_t step)
{
    size_t at = 0;
    while (at < size && !fake_is_closed() && !fake.connection.paused) {
        size_t part = step < size - at ? step : size - at;
        at += fake_receive(bytes + at, part);
    }
    return at;
}

static inline size_t fake_sends(const char *text)
{
    return fake_sends_bytes(text, strlen(text), strlen(text));
}

// The client sends nothing more.
static inline void fake_ends(void)
{
    fake.connection.protocol->ended(&fake.connection);
}

// What it waits for has not come.
static inline void fake_is_late(void)
{
    fake.connection.protocol->late(&fake.connection, fake.connection.waits_for);
    fake.connection.closing = true;
}

// The client takes what it was sent; from now on there is room for `room` bytes.
static inline void fake_takes(size_t room)
{
    fake.room = room;
    fake.connection.full = false;
    fake.connection.protocol->writable(&fake.connection);
    fake_turn();
}

// What the client was sent since this was asked the last time, with the dates struck
// out: all of them are equally long. Until it is asked again.
static inline const char *fake_takes_text(void)
{
    static char text[FAKE_OUT + 1];
    memcpy(text, fake.out, fake.sent + 1);
    fake.sent = 0;
    fake.out[0] = '\0';
    for (char *at = text; (at = strstr(at, "\r\nDate: ")) != NULL; at += 8) {
        memset(at + 8, '-', strcspn(at + 8, "\r"));
    }
    return text;
}

#endif
