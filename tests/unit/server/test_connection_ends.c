// SPDX-License-Identifier: MIT
#include "connection_scene.h"

#include "base/memory.h"

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
    allow_ms(SP_WAIT_END, 10);
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
    allow_ms(SP_WAIT_HEADER, 10);
    allow_ms(SP_WAIT_END, 10);
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

static void what_has_come_before_a_drain_is_still_served(void **state)
{
    (void)state;
    connect_one();
    assert_int_equal(write(scene->client, "last", 4), 4);
    sp_connections_drain(&scene->all);
    expect_told("open received drain");
    expect_got("last");
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
        TEST(a_client_is_left_with_all_it_was_sent),
        TEST(one_that_does_not_close_is_closed),
        TEST(an_abort_waits_for_nothing),
        TEST(a_late_client_may_be_told_so),
        TEST(a_drain_closes_those_that_do_nothing),
        TEST(what_has_come_before_a_drain_is_still_served),
        TEST(the_idlest_one_makes_room),
        TEST(without_memory_a_client_is_refused),
        TEST(without_memory_to_read_it_is_closed),
        TEST(without_memory_to_send_the_sender_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
