// SPDX-License-Identifier: MIT
// A protocol that notes what it is told, at one end of a pair of sockets.
#ifndef UNIT_CONNECTION_SCENE_H
#define UNIT_CONNECTION_SCENE_H

#include "server/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define SCENE static __attribute__((unused))

#define LARGE_BYTES 4000000u
#define TURNS_MOST  100000

struct scene {
    struct sp_loop loop;
    struct sp_connections all;
    struct sp_connection *connection; // NULL: it has been closed
    int client;
    char told[256]; // "open received ..."
    struct sp_buf got;
    struct sp_buf body;
    snakepit_err open_err;
    bool keeps;   // what is received is left where it is
    bool pauses;  // reads nothing more from then on
    bool lingers; // stays open after the end
    bool drains;  // nothing is under way
    bool answers_late;
    size_t more; // bytes to be sent as there is room
    int waits;   // of the loop that are left
};

SCENE struct scene *scene;

// ---- The protocol -----------------------------------------------------------------

SCENE void tell(const char *what)
{
    size_t used = strlen(scene->told);
    (void)snprintf(scene->told + used,
                   sizeof scene->told - used,
                   "%s%s",
                   used > 0 ? " " : "",
                   what);
}

SCENE snakepit_err on_open(struct sp_connection *connection)
{
    tell("open");
    scene->connection = connection;
    return scene->open_err;
}

SCENE void on_received(struct sp_connection *connection)
{
    tell("received");
    if (!scene->keeps) {
        assert_int_equal(
            sp_buf_append(&scene->got, connection->in.data, connection->in.size),
            SNAKEPIT_OK);
        sp_connection_consume(connection, connection->in.size);
    }
    if (scene->pauses) {
        sp_connection_pause(connection, true);
    }
}

SCENE void on_ended(struct sp_connection *connection)
{
    tell("ended");
    if (scene->lingers) {
        sp_connection_linger(connection);
    }
}

SCENE void send_more(struct sp_connection *connection)
{
    static const uint8_t zeros[1000];
    while (scene->more > 0 && sp_connection_room(connection) > 0) {
        size_t bytes = scene->more < sizeof zeros ? scene->more : sizeof zeros;
        assert_int_equal(
            sp_connection_send(connection, (struct sp_slice){zeros, bytes}),
            SNAKEPIT_OK);
        scene->more -= bytes;
    }
}

SCENE void on_writable(struct sp_connection *connection)
{
    assert_true(sp_connection_room(connection) > 0);
    send_more(connection);
}

SCENE void on_late(struct sp_connection *connection, enum sp_wait_for what)
{
    static const char *const names[] = {
        [SP_WAIT_REQUEST] = "late-request",
        [SP_WAIT_HEADER] = "late-header",
        [SP_WAIT_BODY] = "late-body",
        [SP_WAIT_CLIENT] = "late-client",
    };
    tell(names[what]);
    if (scene->answers_late) {
        assert_int_equal(sp_connection_send(connection, sp_slice_of_text("late")),
                         SNAKEPIT_OK);
    }
}

SCENE bool on_drain(struct sp_connection *connection)
{
    (void)connection;
    tell("drain");
    return scene->drains;
}

SCENE void on_close(struct sp_connection *connection)
{
    assert_ptr_equal(connection, scene->connection);
    tell("close");
    // What is said now goes nowhere.
    assert_int_equal(sp_connection_send(connection, sp_slice_of_text("more")),
                     SNAKEPIT_OK);
    scene->connection = NULL;
}

static const struct sp_protocol protocol = {.open = on_open,
                                            .received = on_received,
                                            .ended = on_ended,
                                            .writable = on_writable,
                                            .late = on_late,
                                            .drain = on_drain,
                                            .close = on_close};

// ---- The scene --------------------------------------------------------------------

SCENE void on_closed(struct sp_connections *all)
{
    assert_ptr_equal(all, &scene->all);
    tell("closed");
}

SCENE void on_wake(void *user)
{
    (void)user;
}

// So many waits, each of which ends at once.
SCENE void before_wait(void *user)
{
    struct scene *mine = user;
    if (mine->waits == 0) {
        sp_loop_stop(&mine->loop);
    } else {
        mine->waits--;
        sp_loop_wake(&mine->loop);
    }
}

SCENE int prepare(void **state)
{
    static struct scene made;
    static const uint32_t limits[SP_WAITS] = {[SP_WAIT_REQUEST] = 3600000,
                                              [SP_WAIT_HEADER] = 3600000,
                                              [SP_WAIT_BODY] = 3600000,
                                              [SP_WAIT_CLIENT] = 3600000,
                                              [SP_WAIT_END] = 3600000,
                                              [SP_WAIT_HANDSHAKE] = 3600000};
    made = (struct scene){.client = -1};
    scene = &made;
    made.all.protocol = &protocol;
    made.all.closed = on_closed;
    assert_int_equal(sp_loop_init(&made.loop, on_wake, &made, NULL), SNAKEPIT_OK);
    sp_loop_before_waits(&made.loop, before_wait);
    sp_connections_init(&made.all, &made.loop, limits);
    *state = &made;
    return 0;
}

// From now on.
SCENE void allow_ms(enum sp_wait_for what, uint32_t ms)
{
    scene->all.waits.limits_ms[what] = ms;
}

SCENE void hang_up(void)
{
    if (scene->client >= 0) {
        (void)close(scene->client);
        scene->client = -1;
    }
}

SCENE int clear(void **state)
{
    (void)state;
    sp_connections_fini(&scene->all);
    assert_int_equal(scene->all.count, 0);
    sp_loop_fini(&scene->loop);
    hang_up();
    sp_buf_fini(&scene->got);
    sp_buf_fini(&scene->body);
    return 0;
}

SCENE int make_pair(void)
{
    int ends[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    hang_up();
    scene->client = ends[0];
    return ends[1];
}

SCENE void connect_one(void)
{
    const struct sp_peer peer = {.address = "unix"};
    assert_int_equal(sp_connection_open(&scene->all, make_pair(), &peer), SNAKEPIT_OK);
    assert_string_equal(scene->connection->peer.address, "unix");
}

SCENE void turns(int count)
{
    scene->waits = count;
    scene->loop.stop = false;
    sp_loop_run(&scene->loop);
}

// What is there now is told.
SCENE void settle(void)
{
    turns(8);
}

SCENE void say(const char *text)
{
    assert_int_equal(write(scene->client, text, strlen(text)), strlen(text));
    settle();
}

SCENE void run_until_closed(void)
{
    uint64_t until = sp_clock_now() + 30 * SP_NS_PER_S;
    while (scene->connection != NULL && sp_clock_now() < until) {
        turns(1);
    }
    assert_null(scene->connection);
}

SCENE void expect_told(const char *told)
{
    assert_string_equal(scene->told, told);
    scene->told[0] = '\0';
}

SCENE void expect_got(const char *text)
{
    assert_int_equal(scene->got.size, strlen(text));
    assert_memory_equal(scene->got.data, text, scene->got.size);
    scene->got.size = 0;
}

// What the client finds; `end` says whether that is all there ever will be.
SCENE size_t read_client(char *room, size_t size, bool *end)
{
    size_t count = 0;
    ssize_t got;
    *end = false;
    while ((got = read(scene->client, room, size)) > 0) {
        count += (size_t)got;
    }
    *end = got == 0;
    return count;
}

SCENE void expect_client_sees(const char *text, bool ended)
{
    char room[64] = {0};
    bool end;
    size_t count = read_client(room, sizeof room, &end);
    assert_int_equal(count, strlen(text));
    assert_memory_equal(room, text, count);
    assert_int_equal(end, ended);
}

#endif
