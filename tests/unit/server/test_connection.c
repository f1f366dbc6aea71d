// SPDX-License-Identifier: MIT
#include "connection_scene.h"

#include <stdlib.h>
#include <sys/ioctl.h>

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
    assert_null(scene->connection->out.bytes.data);
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
    expect_told("open ended"); // whoever works for it is to know
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
            scene->connection->out.bytes.size == 0) {
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
    assert_null(scene->connection->out.bytes.data);
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
    allow_ms(SP_WAIT_CLIENT, 20);
    connect_one();
    sp_connection_wait_for(scene->connection, SP_WAIT_NOTHING);
    scene->more = LARGE_BYTES;
    send_more(scene->connection);
    run_until_closed();
    expect_told("open late-client close closed");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
