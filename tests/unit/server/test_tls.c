// SPDX-License-Identifier: MIT
// What is said over TLS, once hands are shaken; for those see test_handshake.c.
#include "tls_scene.h"

#include <signal.h>

#define MANY 1000000u

static void fill(uint8_t *room, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        room[i] = (uint8_t)(i * 31 + i / 256);
    }
}

static uint8_t *make_many(void)
{
    uint8_t *many = malloc(MANY);
    assert_non_null(many);
    fill(many, MANY);
    return many;
}

// ---- Reading ----------------------------------------------------------------------

static void hears_and_answers(int version)
{
    use_clients(version, NULL);
    connect_tls();
    assert_true(sp_connection_is_secure(scene->connection));
    say_tls("hello", 5);
    settle();
    expect_told("open received");
    expect_got("hello");
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("answer")),
                     SNAKEPIT_OK);
    settle();
    expect_tls_client_sees("answer", false);
    // An idle one has no buffers here; OpenSSL lets go of its own.
    assert_null(scene->connection->in.data);
    assert_null(scene->connection->out.bytes.data);
}

static void both_versions_are_spoken(void **state)
{
    (void)state;
    hears_and_answers(TLS1_3_VERSION);
    hang_up();
    settle();
    expect_told("ended close closed");
    hears_and_answers(TLS1_2_VERSION);
}

// More than is read from the socket at once, in small records: the socket has nothing
// more to tell when the first are handed out.
static void what_was_read_ahead_is_not_forgotten(void **state)
{
    (void)state;
    uint8_t *many = make_many();
    connect_tls();
    for (size_t at = 0; at < 60000; at += 1000) {
        say_tls(many + at, 1000);
    }
    settle();
    assert_int_equal(scene->got.size, 60000);
    assert_memory_equal(scene->got.data, many, 60000);
    free(many);
}

static void nor_is_it_after_a_pause(void **state)
{
    (void)state;
    uint8_t *many = make_many();
    connect_tls();
    scene->keeps = true;
    say_tls(many, 100); // this is handed out, and those behind it have been read ahead
    say_tls(many + 100, 16000);
    say_tls(many + 16100, 300);
    scene->pauses = true;
    settle();
    expect_told("open received");
    assert_true(scene->connection->paused);
    size_t first = scene->connection->in.size;
    assert_true(first >= 100 && first < 16400);
    scene->keeps = false;
    scene->pauses = false;
    sp_connection_pause(scene->connection, false);
    settle();
    assert_int_equal(scene->got.size, 16400);
    assert_memory_equal(scene->got.data, many, 16400);
    free(many);
}

static void a_body_is_read_to_where_it_belongs(void **state)
{
    (void)state;
    uint8_t *many = make_many();
    connect_tls();
    scene->keeps = true;
    assert_int_equal(sp_buf_reserve(&scene->body, MANY), SNAKEPIT_OK);
    sp_connection_expect(scene->connection, &scene->body, MANY);
    for (size_t at = 0; at < MANY;) {
        size_t sent = 0;
        (void)SSL_write_ex(tls.client, many + at, MANY - at, &sent);
        at += sent;
        turns(1);
    }
    settle();
    assert_int_equal(scene->body.size, MANY);
    assert_memory_equal(scene->body.data, many, MANY);
    say_tls("behind", 6);
    settle();
    assert_int_equal(scene->connection->in.size, 6);
    free(many);
}

// Each asks for an answer, and takes a record of its own: they are no request.
static void other_records_are_worked_off(void **state)
{
    (void)state;
    use_clients(TLS1_3_VERSION, NULL);
    connect_tls();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(tls.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(tls.client), 1);
    }
    say_tls("hello", 5);
    settle();
    turns(200);
    expect_got("hello");
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("answer")),
                     SNAKEPIT_OK);
    settle();
    expect_tls_client_sees("answer", false);
}

// ---- The end ----------------------------------------------------------------------

static void a_client_says_that_it_is_done(void **state)
{
    (void)state;
    connect_tls();
    scene->lingers = true;
    say_tls("ask", 3);
    assert_int_equal(SSL_shutdown(tls.client), 0);
    settle();
    expect_told("open received ended");
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("answer")),
                     SNAKEPIT_OK);
    sp_connection_close_after(scene->connection);
    settle();
    expect_told("close closed");
    expect_tls_client_sees("answer", true);
}

static void one_that_goes_away_during_a_pause_is_noticed(void **state)
{
    (void)state;
    connect_tls();
    sp_connection_pause(scene->connection, true);
    settle();
    (void)SSL_shutdown(tls.client);
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open ended"); // what it said at the end was not read yet
    sp_connection_pause(scene->connection, false);
    settle();
    expect_told("ended close closed");
}

// What it says at the end has been read ahead with the rest, and whoever works for it
// wants to go on. When the end has its turn nobody wants that any more.
static void the_end_that_was_told_early_is_told_again(void **state)
{
    (void)state;
    connect_tls();
    scene->pauses = true;
    scene->lingers = true;
    say_tls("ask", 3);
    (void)SSL_shutdown(tls.client);
    assert_int_equal(shutdown(scene->client, SHUT_WR), 0);
    settle();
    expect_told("open received ended");
    scene->pauses = false;
    scene->lingers = false;
    sp_connection_pause(scene->connection, false);
    settle();
    expect_told("ended close closed");
}

static void one_that_vanishes_is_noticed(void **state)
{
    (void)state;
    connect_tls();
    hang_up();
    settle();
    expect_told("open ended close closed");
}

static void a_client_is_told_that_it_is_all(void **state)
{
    (void)state;
    connect_tls();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("bye")),
                     SNAKEPIT_OK);
    sp_connection_close_after(scene->connection);
    settle();
    expect_tls_client_sees("bye", true);
    hang_up();
    settle();
    expect_told("open close closed");
}

// So that it does not take a part for the whole.
static void an_abort_does_not_say_so(void **state)
{
    (void)state;
    connect_tls();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("part")),
                     SNAKEPIT_OK);
    settle();
    sp_connection_abort(scene->connection);
    settle();
    expect_told("open close closed");
    expect_tls_client_sees("part", false);
}

static void what_is_forged_ends_it(void **state)
{
    (void)state;
    static const char forged[] = "\x17\x03\x03\x00\x18 nobody has encrypted me";
    connect_tls();
    assert_int_equal(write(scene->client, forged, sizeof forged - 1),
                     sizeof forged - 1);
    settle();
    expect_told("open close closed");
}

// ---- Writing ----------------------------------------------------------------------

static size_t drink(uint8_t *room, size_t size)
{
    size_t count = 0;
    bool end = false;
    for (int i = 0; i < TURNS_MOST && !end && count < size; i++) {
        turns(1);
        count += read_tls(room + count, size - count, &end);
    }
    return count;
}

static void a_slow_client_holds_its_sender(void **state)
{
    (void)state;
    uint8_t *room = malloc(LARGE_BYTES);
    assert_non_null(room);
    connect_tls();
    scene->more = LARGE_BYTES;
    send_more(scene->connection);
    settle();
    assert_true(scene->more > LARGE_BYTES / 2);
    assert_int_equal(scene->connection->wait.what, SP_WAIT_CLIENT);
    assert_int_equal(drink(room, LARGE_BYTES), LARGE_BYTES);
    settle();
    assert_int_equal(scene->more, 0);
    assert_int_equal(scene->connection->wait.what, SP_WAIT_REQUEST);
    assert_null(scene->connection->out.bytes.data);
    assert_int_equal(scene->connection->watch.wanted, SP_WATCH_READ);
    free(room);
}

// A record that did not fit lies elsewhere, behind others, when it is tried again.
static void a_large_piece_arrives_whole(void **state)
{
    (void)state;
    uint8_t *many = make_many();
    uint8_t *room = malloc(MANY + 10);
    assert_non_null(room);
    connect_tls();
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("head ")),
                     SNAKEPIT_OK);
    assert_int_equal(
        sp_connection_send(scene->connection, (struct sp_slice){many, MANY}),
        SNAKEPIT_OK);
    assert_true(scene->connection->blocked);
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text(" tail")),
                     SNAKEPIT_OK);
    sp_connection_close_after(scene->connection);
    assert_int_equal(drink(room, MANY + 10), MANY + 10);
    assert_memory_equal(room, "head ", 5);
    assert_memory_equal(room + 5, many, MANY);
    assert_memory_equal(room + MANY + 5, " tail", 5);
    turns(8);
    expect_tls_client_sees("", true);
    free(many);
    free(room);
}

static void one_that_reads_nothing_is_late(void **state)
{
    (void)state;
    allow_ms(SP_WAIT_CLIENT, 20);
    connect_tls();
    scene->more = LARGE_BYTES;
    send_more(scene->connection);
    run_until_closed();
    expect_told("open late-client close closed");
}

// ---- Errors -----------------------------------------------------------------------

static void an_error_of_another_connection_is_not_its_own(void **state)
{
    (void)state;
    connect_tls();
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
    say_tls("hello", 5);
    settle();
    expect_got("hello");
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
    assert_int_equal(sp_connection_send(scene->connection, sp_slice_of_text("answer")),
                     SNAKEPIT_OK);
    settle();
    expect_tls_client_sees("answer", false);
    expect_told("open received");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare_tls, clear_tls)
    const struct CMUnitTest tests[] = {
        TEST(both_versions_are_spoken),
        TEST(what_was_read_ahead_is_not_forgotten),
        TEST(nor_is_it_after_a_pause),
        TEST(a_body_is_read_to_where_it_belongs),
        TEST(other_records_are_worked_off),
        TEST(a_client_says_that_it_is_done),
        TEST(one_that_goes_away_during_a_pause_is_noticed),
        TEST(the_end_that_was_told_early_is_told_again),
        TEST(one_that_vanishes_is_noticed),
        TEST(a_client_is_told_that_it_is_all),
        TEST(an_abort_does_not_say_so),
        TEST(what_is_forged_ends_it),
        TEST(a_slow_client_holds_its_sender),
        TEST(a_large_piece_arrives_whole),
        TEST(one_that_reads_nothing_is_late),
        TEST(an_error_of_another_connection_is_not_its_own),
    };
    (void)signal(SIGPIPE, SIG_IGN); // of the client
    return cmocka_run_group_tests(tests, NULL, NULL);
}
