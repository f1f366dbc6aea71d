// SPDX-License-Identifier: MIT
// A protocol that notes what it is told, at one end of a pair of sockets.
#include "front/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

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
    bool lingers; // stays open after the end
    bool drains;  // nothing is under way
    bool answers_late;
    size_t more; // bytes to be sent as there is room
    int waits;   // of the loop that are left
};

static struct scene *scene;

// ---- The protocol -----------------------------------------------------------------

static void tell(const char *what)
{
    size_t used = strlen(scene->told);
    (void)snprintf(scene->told + used,
                   sizeof scene->told - used,
                   "%s%s",
                   used > 0 ? " " : "",
                   what);
}

static snakepit_err on_open(struct sp_connection *connection)
{
    tell("open");
    scene->connection = connection;
    return scene->open_err;
}

static void on_received(struct sp_connection *connection)
{
    tell("received");
    if (!scene->keeps) {
        assert_int_equal(
            sp_buf_append(&scene->got, connection->in.data, connection->in.size),
            SNAKEPIT_OK);
        sp_connection_consume(connection, connection->in.size);
    }
}

static void on_ended(struct sp_connection *connection)
{
    tell("ended");
    if (scene->lingers) {
        sp_connection_linger(connection);
    }
}

static void send_more(struct sp_connection *connection)
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

static void on_writable(struct sp_connection *connection)
{
    assert_true(sp_connection_room(connection) > 0);
    send_more(connection);
}

static void on_late(struct sp_connection *connection, enum sp_wait_for what)
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

static bool on_drain(struct sp_connection *connection)
{
    (void)connection;
    tell("drain");
    return scene->drains;
}

static void on_close(struct sp_connection *connection)
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

static void on_closed(struct sp_connections *all)
{
    assert_ptr_equal(all, &scene->all);
    tell("closed");
}

static void on_wake(void *user)
{
    (void)user;
}

// So many waits, each of which ends at once.
static void before_wait(void *user)
{
    struct scene *mine = user;
    if (mine->waits == 0) {
        sp_loop_stop(&mine->loop);
    } else {
        mine->waits--;
        sp_loop_wake(&mine->loop);
    }
}

static int prepare(void **state)
{
    static struct scene made;
    const uint32_t limits[SP_WAITS] = {[SP_WAIT_REQUEST] = 3600000,
                                       [SP_WAIT_HEADER] = 10,
                                       [SP_WAIT_BODY] = 3600000,
                                       [SP_WAIT_CLIENT] = 20,
                                       [SP_WAIT_END] = 10};
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

static void hang_up(void)
{
    if (scene->client >= 0) {
        (void)close(scene->client);
        scene->client = -1;
    }
}

static int clear(void **state)
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

static int make_pair(void)
{
    int ends[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    hang_up();
    scene->client = ends[0];
    return ends[1];
}

static void connect_one(void)
{
    const struct sp_peer peer = {.address = "unix"};
    assert_int_equal(sp_connection_open(&scene->all, make_pair(), &peer), SNAKEPIT_OK);
    assert_string_equal(scene->connection->peer.address, "unix");
}

static void turns(int count)
{
    scene->waits = count;
    scene->loop.stop = false;
    sp_loop_run(&scene->loop);
}

// What is there now is told.
static void settle(void)
{
    turns(8);
}

static void say(const char *text)
{
    assert_int_equal(write(scene->client, text, strlen(text)), strlen(text));
    settle();
}

static void run_until_closed(void)
{
    uint64_t until = sp_clock_now() + 30 * SP_NS_PER_S;
    while (scene->connection != NULL && sp_clock_now() < until) {
        turns(1);
    }
    assert_null(scene->connection);
}

static void expect_told(const char *told)
{
    assert_string_equal(scene->told, told);
    scene->told[0] = '\0';
}

static void expect_got(const char *text)
{
    assert_int_equal(scene->got.size, strlen(text));
    assert_memory_equal(scene->got.data, text, scene->got.size);
    scene->got.size = 0;
}

// What the client finds; `end` says whether that is all there ever will be.
static size_t read_client(char *room, size_t size, bool *end)
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

static void expect_client_sees(const char *text, bool ended)
{
    char room[64] = {0};
    bool end;
    size_t count = read_client(room, sizeof room, &end);
    assert_int_equal(count, strlen(text));
    assert_memory_equal(room, text, count);
    assert_int_equal(end, ended);
}

// ---- Reading ----------------------------------------------------------------------

static void what_a_client_sends_is_told(void **state)
{
    (void)state;
    connect_one();
    expect_told("open");
    say("hello");
    expect_told("received");
    expect_got("hello");
    // An idle connection has no buffer.
    assert_null(scene->connection->in.data);
    assert_null(scene->connection->out.data);
}

static void what_is_not_consumed_stays_in_front(void **state)
{
    (void)state;
    connect_one();
    scene->keeps = true;
    say("GET");
    say(" /");
    assert_int_equal(scene->connection->in.size, 5);
    sp_connection_consume(scene->connection, 4);
    say("x");
    assert_memory_equal(scene->connection->in.data, "/x", 2);
    expect_told("open received received received");
}

static void a_body_is_read_to_where_it_belongs(void **state)
{
    (void)state;
    connect_one();
    scene->keeps = true;
    assert_int_equal(sp_buf_reserve(&scene->body, 6), SNAKEPIT_OK);
    sp_connection_expect(scene->connection, &scene->body, 6);
    say("abc");
    say("defgh");
    expect_told("open received received received");
    assert_int_equal(scene->body.size, 6);
    assert_memory_equal(scene->body.data, "abcdef", 6);
    assert_int_equal(scene->connection->in.size, 2);
    assert_memory_equal(scene->connection->in.data, "gh", 2);
}

static void a_client_waits_while_nothing_is_read(void **state)
{
    (void)state;
    int unread = 0;
    connect_one();
    sp_connection_pause(scene->connection, true);
    say("a");
    say("b");
    expect_told("open");
    // Nor does the loop hear of it again and again.
    assert_int_equal(scene->connection->watch.wanted, SP_WATCH_HANGUP);
    sp_connection_pause(scene->connection, false);
    settle();
    expect_told("received");
    expect_got("ab");
    assert_int_equal(ioctl(scene->client, FIONREAD, &unread), 0);
}

static void what_was_left_is_handed_out_again(void **state)
{
    (void)state;
    connect_one();
    scene->keeps = true;
    say("two requests");
    sp_connection_pause(scene->connection, true);
    sp_connection_consume(scene->connection, 4);
    scene->keeps = false;
    sp_connection_pause(scene->connection, false);
    expect_told("open received"); // not from within
    settle();
    expect_told("received");
    expect_got("requests");
}

// ---- The end of a client ----------------------------------------------------------

static void a_client_that_goes_away_is_closed(void **state)
{
    (void)state;
    connect_one();
    hang_up();
    settle();
    expect_told("open ended close closed");
    assert_int_equal(scene->all.count, 0);
}

static void one_that_goes_away_during_a_pause_is_noticed(void **state)
{
    (void)state;
    connect_one();
    sp_connection_pause(scene->connection, true);
    settle();
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open ended close closed");
}

static void what_it_sent_before_is_read_first(void **state)
{
    (void)state;
    connect_one();
    sp_connection_pause(scene->connection, true);
    assert_int_equal(write(scene->client, "last", 4), 4);
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open");
    assert_int_equal(scene->connection->watch.wanted, 0);
    sp_connection_pause(scene->connection, false);
    settle();
    expect_told("received ended close closed");
    expect_got("last");
}

static void a_client_that_only_listens_gets_its_answer(void **state)
{
    (void)state;
    connect_one();
    scene->lingers = true;
    assert_int_equal(write(scene->client, "ask", 3), 3);
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open received ended");
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("answer")),
                     SNAKEPIT_OK);
    sp_connection_close_after(scene->connection);
    settle();
    expect_told("close closed");
    expect_client_sees("answer", true);
}

static void one_that_listens_no_longer_either_is_noticed(void **state)
{
    (void)state;
    connect_one();
    scene->lingers = true;
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open ended");
    hang_up();
    settle();
    expect_told("close closed");
}

// ---- Writing ----------------------------------------------------------------------

static void what_is_sent_in_one_turn_leaves_at_once(void **state)
{
    (void)state;
    connect_one();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("one ")),
                     SNAKEPIT_OK);
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("two")),
                     SNAKEPIT_OK);
    expect_client_sees("", false);
    settle();
    expect_client_sees("one two", false);
}

// Reads as the loop turns, until there is nothing more.
static size_t drink(void)
{
    static char room[65536];
    size_t count = 0;
    bool end = false;
    for (int i = 0; i < TURNS_MOST && !end; i++) {
        turns(1);
        size_t got = read_client(room, sizeof room, &end);
        count += got;
        if (got == 0 && scene->more == 0 && scene->connection != NULL &&
            scene->connection->out.size == 0) {
            break;
        }
    }
    return count;
}

static void a_slow_client_holds_its_sender(void **state)
{
    (void)state;
    connect_one();
    scene->more = LARGE_BYTES;
    send_more(scene->connection);
    settle();
    assert_true(scene->more > LARGE_BYTES / 2);
    assert_int_equal(scene->connection->wait.what, SP_WAIT_CLIENT);
    assert_int_equal(drink(), LARGE_BYTES);
    assert_int_equal(scene->more, 0);
    assert_int_equal(scene->connection->wait.what, SP_WAIT_REQUEST);
    assert_null(scene->connection->out.data);
    assert_int_equal(scene->connection->watch.wanted, SP_WATCH_READ);
}

static void a_large_piece_arrives_whole(void **state)
{
    (void)state;
    uint8_t *large = malloc(LARGE_BYTES);
    assert_non_null(large);
    memset(large, 'x', LARGE_BYTES);
    connect_one();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("head ")),
                     SNAKEPIT_OK);
    assert_int_equal(
        sp_connection_send(scene->connection, (struct sp_slice){large, LARGE_BYTES}),
        SNAKEPIT_OK);
    free(large);
    sp_connection_close_after(scene->connection);
    assert_int_equal(drink(), LARGE_BYTES + 5);
}

static void one_that_reads_nothing_is_late(void **state)
{
    (void)state;
    connect_one();
    sp_connection_wait_for(scene->connection, SP_WAIT_NOTHING);
    scene->more = LARGE_BYTES;
    send_more(scene->connection);
    run_until_closed();
    expect_told("open late-client close closed");
}

// ---- Closing ----------------------------------------------------------------------

static void a_client_is_left_with_all_it_was_sent(void **state)
{
    (void)state;
    connect_one();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("bye")),
                     SNAKEPIT_OK);
    sp_connection_close_after(scene->connection);
    settle();
    expect_client_sees("bye", true);
    // It may be in the middle of sending: that is not an error for it.
    assert_int_equal(write(scene->client, "more", 4), 4);
    settle();
    expect_told("open");
    hang_up();
    settle();
    expect_told("close closed");
}

static void one_that_does_not_close_is_closed(void **state)
{
    (void)state;
    connect_one();
    sp_connection_close_after(scene->connection);
    run_until_closed();
    expect_told("open close closed");
    expect_client_sees("", true);
}

static void an_abort_waits_for_nothing(void **state)
{
    (void)state;
    connect_one();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("x")),
                     SNAKEPIT_OK);
    sp_connection_abort(scene->connection);
    expect_told("open"); // not from within
    settle();
    expect_told("close closed");
    expect_client_sees("", true);
}

static void a_late_client_may_be_told_so(void **state)
{
    (void)state;
    connect_one();
    scene->answers_late = true;
    sp_connection_wait_for(scene->connection, SP_WAIT_HEADER);
    run_until_closed();
    expect_told("open late-header close closed");
    expect_client_sees("late", true);
}

static void a_drain_closes_those_that_do_nothing(void **state)
{
    (void)state;
    connect_one();
    sp_connections_drain(&scene->all);
    settle();
    expect_told("open drain");
    scene->drains = true;
    sp_connections_drain(&scene->all);
    hang_up();
    settle();
    expect_told("drain close closed");
}

static void the_idlest_one_makes_room(void **state)
{
    (void)state;
    connect_one();
    sp_connection_wait_for(scene->connection, SP_WAIT_BODY);
    assert_false(sp_connections_drop_idle(&scene->all));
    sp_connection_wait_for(scene->connection, SP_WAIT_REQUEST);
    assert_true(sp_connections_drop_idle(&scene->all));
    expect_told("open close closed");
    assert_false(sp_connections_drop_idle(&scene->all));
}

// ---- Memory -----------------------------------------------------------------------

static void without_memory_a_client_is_refused(void **state)
{
    (void)state;
    const struct sp_peer peer = {.address = "unix"};
    int fd = make_pair();
    sp_memory_fail_at(1);
    assert_int_equal(sp_connection_open(&scene->all, fd, &peer), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    scene->open_err = SNAKEPIT_NO_MEMORY;
    assert_int_equal(sp_connection_open(&scene->all, fd, &peer), SNAKEPIT_NO_MEMORY);
    assert_int_equal(scene->all.count, 0);
    settle();
    expect_told("open");
    (void)close(fd);
}

static void without_memory_to_read_it_is_closed(void **state)
{
    (void)state;
    connect_one();
    sp_memory_fail_at(1);
    say("hello");
    sp_memory_fail_at(0);
    expect_told("open close closed");
}

static void without_memory_to_send_the_sender_is_told(void **state)
{
    (void)state;
    connect_one();
    sp_memory_fail_at(1);
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("x")),
                     SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    settle();
    expect_told("open");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)
    const struct CMUnitTest tests[] = {
        TEST(what_a_client_sends_is_told),
        TEST(what_is_not_consumed_stays_in_front),
        TEST(a_body_is_read_to_where_it_belongs),
        TEST(a_client_waits_while_nothing_is_read),
        TEST(what_was_left_is_handed_out_again),
        TEST(a_client_that_goes_away_is_closed),
        TEST(one_that_goes_away_during_a_pause_is_noticed),
        TEST(what_it_sent_before_is_read_first),
        TEST(a_client_that_only_listens_gets_its_answer),
        TEST(one_that_listens_no_longer_either_is_noticed),
        TEST(what_is_sent_in_one_turn_leaves_at_once),
        TEST(a_slow_client_holds_its_sender),
        TEST(a_large_piece_arrives_whole),
        TEST(one_that_reads_nothing_is_late),
        TEST(a_client_is_left_with_all_it_was_sent),
        TEST(one_that_does_not_close_is_closed),
        TEST(an_abort_waits_for_nothing),
        TEST(a_late_client_may_be_told_so),
        TEST(a_drain_closes_those_that_do_nothing),
        TEST(the_idlest_one_makes_room),
        TEST(without_memory_a_client_is_refused),
        TEST(without_memory_to_read_it_is_closed),
        TEST(without_memory_to_send_the_sender_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
