// SPDX-License-Identifier: MIT
// What a worker says, and what it is told, on a machine that is only memory.
#include "process/birth.h"

#include "scene.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "payload/writer.h"

// ---- Its start ----------------------------------------------------------------

static void one_that_answers_its_first_call_is_ready(void **state)
{
    (void)state;
    scene_start();
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CONFIG);
    scene_become_ready();
    assert_int_equal(scene.worker->state, SP_WORKER_READY);
    for (uint32_t ms = 0; ms <= SCENE_START_MS; ms += 500) {
        fake_says(scene.fake, SP_MESSAGE_PONG, &(uint64_t){0}, sizeof(uint64_t));
        scene_run(500);
    }
    assert_int_equal(scene.worker->state, SP_WORKER_READY);
}

#define TOO_LATE                                                                   \
    "it was not ready within start_timeout_ms; raise that, or make the adapter's " \
    "import and initialize() faster"

// It has greeted, and answers its heartbeats until its time is up.
static void be_late(void)
{
    scene_start();
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CONFIG);
    scene_greet();
    for (uint32_t ms = 0; ms + 500 < SCENE_START_MS; ms += 500) {
        fake_says(scene.fake, SP_MESSAGE_PONG, &(uint64_t){0}, sizeof(uint64_t));
        scene_run(500);
    }
    scene_expect("");
    while (fake_hears(scene.fake) != 0) {
    }
    scene_run(501);
}

// Heartbeats may come before it.
static bool is_asked_where(void)
{
    uint32_t type;
    while ((type = fake_hears(scene.fake)) != 0 && type != SP_MESSAGE_WHERE) {
    }
    return type == SP_MESSAGE_WHERE;
}

static void a_start_that_takes_too_long_fails(void **state)
{
    (void)state;
    be_late();
    assert_true(is_asked_where());
    scene_expect("");
    fake_says(scene.fake, SP_MESSAGE_WHERE, NULL, 0);
    scene_run(0);
    scene_expect_killed(TOO_LATE);
    assert_true(scene.worker->failed);
    assert_false(scene.worker->adapter_failed);
}

static void a_late_start_says_where_it_is(void **state)
{
    (void)state;
    char where[SP_WHERE_MAX];
    be_late();
    struct sp_control *header = scene.worker->port->view.header;
    (void)strcpy(header->stage, "importing \x1b[31m");
    (void)strcpy(scene.worker->port->view.stack, "  File \"a.py\", line 1 in b\n");
    atomic_store(&header->stack_of, SP_STACK_OF_START);
    fake_says(scene.fake, SP_MESSAGE_WHERE, NULL, 0);
    scene_run(0);
    scene_expect_killed(TOO_LATE);
    sp_worker_where(scene.worker, where, sizeof where);
    assert_string_equal(where,
                        "it was importing ?[31m\n  File \"a.py\", line 1 in b\n");
    assert_int_equal(machine_logged("where=\"it was importing"), 1);
}

static void a_late_start_that_does_not_answer_fails_a_little_later(void **state)
{
    (void)state;
    char where[SP_WHERE_MAX];
    be_late();
    scene_run(501);
    scene_expect_killed(TOO_LATE);
    sp_worker_where(scene.worker, where, sizeof where);
    assert_string_equal(where, "it was not yet at the import of its adapter");
}

static void a_start_that_has_not_greeted_is_not_asked_where_it_is(void **state)
{
    (void)state;
    scene_start();
    scene_run(SCENE_START_MS + 1);
    scene_expect_killed(TOO_LATE);
}

static void one_that_becomes_ready_when_it_is_late_is_ready(void **state)
{
    (void)state;
    be_late();
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    scene_answer(SP_STATUS_OK);
    scene_expect("ready;");
    fake_says(scene.fake, SP_MESSAGE_WHERE, NULL, 0);
    scene_run(600);
    assert_int_equal(scene.worker->state, SP_WORKER_READY);
}

static void an_answer_to_what_was_not_asked_is_a_violation(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_WHERE, NULL, 0);
    scene_run(0);
    scene_expect_killed("it said where it is, and was not asked");
    assert_true(scene.violated);
}

static void what_an_adapter_failed_of_is_kept(void **state)
{
    (void)state;
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "type");
    snakepit_writer_str(writer, "ValueError");
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, "no model");
    scene_start();
    scene_greet();
    fake_says(
        scene.fake, SP_MESSAGE_FAILED, writer->buf.data, (uint32_t)writer->buf.size);
    snakepit_writer_free(writer);
    scene_run(0);
    assert_true(scene.worker->adapter_failed);
    assert_non_null(strstr(scene.worker->failure, "ValueError: no model"));
    fake_prints(scene.fake, "Traceback\n");
    fake_exits(scene.fake, 1, 0);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_string_equal(scene.cause, "exited with status 1");
    assert_string_equal(scene.last_output, "Traceback\n");
    assert_false(scene.by_us);
}

static void a_first_answer_that_is_an_error_ends_it(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    scene_answer(SP_STATUS_FAULT);
    scene_expect_killed("its first answer made no sense");
}

static void a_bell_that_is_rung_for_nothing_ends_it(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    for (int i = 0; i < 100 && scene.told[0] == 0; i++) {
        assert_int_equal(eventfd_write(scene.worker->port->doorbell, 1), 0);
        scene_run(0);
    }
    scene_expect_killed("its first answer made no sense");
}

static void a_bridge_of_another_version_is_refused(void **state)
{
    (void)state;
    const struct sp_hello hello = {.version = SP_LAYOUT_VERSION + 1, .tid = 1};
    scene_start();
    fake_says(scene.fake, SP_MESSAGE_HELLO, &hello, sizeof hello);
    scene_expect_killed("its snakepit_bridge is of another version than the library");
}

static void a_first_call_that_cannot_be_watched_is_a_want(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    machine.watch_refuses = ENOSPC;
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    machine.watch_refuses = 0;
    scene_expect_killed("the system refused what its start needs");
    assert_true(scene.worker->wants);
    assert_non_null(strstr(scene.worker->failure, "epoll_ctl"));
}

// ---- Its messages -------------------------------------------------------------

struct wrong {
    uint32_t type;
    uint32_t size;
    const char *why;
};

static void what_it_may_not_say_ends_it(void **state)
{
    static const uint8_t body[64];
    static const struct wrong rows[] = {
        {99, 0, "it sent a message that does not exist"},
        {SP_MESSAGE_STOP, 0, "it sent a message that does not exist"},
        {SP_MESSAGE_PONG, 7, "it sent a message of a wrong size"},
        {SP_MESSAGE_GIL, 1, "it sent a message of a wrong size"},
        {SP_MESSAGE_MAPPED, 8, "it sent a message of a wrong size"},
        {SP_MESSAGE_LEAVING, 1, "it sent a message of a wrong size"},
        {SP_MESSAGE_EVENTS, 1, "it sent a message of a wrong size"},
        {SP_MESSAGE_READY, 0, "it said twice that it is ready"},
        {SP_MESSAGE_FAILED, 0, "it said that its start had failed, when it was ready"},
        {SP_MESSAGE_HELLO, 3, "its greeting made no sense"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (i > 0) {
            scene_tidy(state);
            scene_prepare(state);
        }
        scene_start();
        scene_become_ready();
        fake_says(scene.fake, rows[i].type, body, rows[i].size);
        scene_expect_killed(rows[i].why);
        assert_true(scene.violated);
        assert_false(scene.by_us); // a tool may have done it
    }
}

static void large_tools_are_told_once_at_the_start(void **state)
{
    static uint8_t body[SP_MESSAGE_MAX + 1];
    (void)state;
    body[0] = 0x80;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_READY, body, sizeof body);
    scene_run(0);
    scene_answer(SP_STATUS_OK);
    scene_expect("ready;");
    fake_says(scene.fake, SP_MESSAGE_READY, body, sizeof body);
    scene_expect_killed("it sent bytes that are not a message");
}

static void a_gil_that_comes_back_is_told_of_a_ready_one(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_GIL, NULL, 0);
    scene_run(0);
    scene_expect("");
    scene_become_ready();
    fake_says(scene.fake, SP_MESSAGE_GIL, NULL, 0);
    scene_run(0);
    scene_expect("gil;");
}

static void what_a_worker_has_mapped_is_told(void **state)
{
    (void)state;
    struct sp_mapped mapped = {.serial = UINT64_C(1) << 40};
    scene_start();
    scene_become_ready();
    fake_says(scene.fake, SP_MESSAGE_MAPPED, &mapped, sizeof mapped);
    scene_run(0);
    scene_expect("mapped;");
    assert_int_equal(scene.mapped_serial, UINT64_C(1) << 40);
    mapped.error = 12;
    fake_says(scene.fake, SP_MESSAGE_MAPPED, &mapped, sizeof mapped);
    scene_run(0);
    scene_expect("unmapped;");
}

static void events_after_the_exit_are_not_looked_for(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.listener.rest_until = machine.now + 10 * SP_NS_PER_S;
    scene.fake->others = true;
    fake_exits(scene.fake, 0, 0);
    scene_run(0);
    scene_expect("lost;exited;");
    fake_says(scene.fake, SP_MESSAGE_EVENTS, NULL, 0);
    scene_run(40);
    assert_false(sp_link_used(&scene.worker->events.link));
    scene.fake->others = false;
    scene_run(40);
    scene_expect("gone;");
}

// ---- Heartbeats ---------------------------------------------------------------

static void heartbeats_begin_with_its_greeting(void **state)
{
    (void)state;
    scene_start();
    scene_run(2 * SCENE_HEARTBEAT_MS + 10);
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CONFIG);
    assert_int_equal(fake_hears(scene.fake), 0);
    scene_greet();
    scene_run(SCENE_HEARTBEAT_MS);
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_PING);
}

static void one_that_answers_its_heartbeats_lives(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    for (int i = 0; i < 20; i++) {
        scene_run(SCENE_HEARTBEAT_MS);
        while (fake_hears(scene.fake) != 0) {
            fake_says(scene.fake, SP_MESSAGE_PONG, &(uint64_t){0}, sizeof(uint64_t));
        }
    }
    assert_int_equal(scene.worker->state, SP_WORKER_READY);
}

static void one_that_does_not_is_killed(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene_run(SCENE_MISSED_MOST * SCENE_HEARTBEAT_MS + 10);
    scene_expect("");
    for (uint32_t i = 0; i < SCENE_MISSED_MOST; i++) {
        assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_PING);
    }
    assert_int_equal(fake_hears(scene.fake), 0);
    scene_run(SCENE_HEARTBEAT_MS);
    assert_int_equal(fake_hears(scene.fake), 0);
    scene_expect_killed("it did not answer its heartbeats");
    assert_false(scene.by_us);
}

static void one_that_has_lost_its_channel_is_killed(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    fake_hangs_up(scene.fake);
    scene_run(490);
    scene_expect("");
    scene_run(20);
    scene_expect_killed("its adapter or a tool has shut down its connection to the "
                        "host (shutdown())");
}

static void one_that_dies_with_its_channel_is_not(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    fake_hangs_up(scene.fake);
    scene_run(490);
    fake_exits(scene.fake, 4, 0);
    scene_run(500);
    scene_expect("lost;exited;gone;");
    assert_non_null(strstr(scene.cause, "exited with status 4"));
}

// ---- Leaving ------------------------------------------------------------------

static void one_that_is_stopped_gets_a_message_and_then_signals(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->stays = false;
    sp_worker_stop(scene.worker);
    sp_worker_stop(scene.worker); // says nothing more
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_STOP);
    assert_int_equal(fake_hears(scene.fake), 0);
    scene_run(SCENE_GRACE_MS + 5);
    assert_string_equal(fake_signals(scene.fake), "TERM+");
    scene_run(SCENE_GRACE_MS + 5);
    scene_expect_killed("it did not leave after SIGTERM");
    assert_true(scene.by_us);
}

static void one_that_starts_is_stopped_by_a_signal(void **state)
{
    (void)state;
    scene_start();
    sp_worker_stop(scene.worker);
    assert_string_equal(fake_signals(scene.fake), "TERM+");
    fake_exits(scene.fake, 0, 15);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_int_equal(machine_logged("expected=yes"), 1);
}

static void one_that_does_not_read_is_stopped_by_a_signal(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    fake_hangs_up(scene.fake);
    sp_worker_stop(scene.worker);
    assert_string_equal(fake_signals(scene.fake), "TERM+");
}

static void one_that_was_told_from_outside_ends_what_it_runs_first(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.busy = true;
    fake_says(scene.fake, SP_MESSAGE_LEAVING, NULL, 0);
    scene_run(0);
    scene_expect("leaving;");
    assert_int_equal(scene.worker->state, SP_WORKER_DRAINING);
    scene_run(10);
    assert_int_equal(fake_hears(scene.fake), 0);
    scene.busy = false;
    scene_run(60);
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_STOP);
    assert_int_equal(scene.worker->state, SP_WORKER_STOPPING);
}

static void one_that_was_told_twice_has_one_grace(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.busy = true;
    fake_says(scene.fake, SP_MESSAGE_LEAVING, NULL, 0);
    fake_says(scene.fake, SP_MESSAGE_LEAVING, NULL, 0);
    scene_run(SCENE_GRACE_MS - 10);
    scene_expect("leaving;");
    scene_run(20);
    scene_expect_killed("it did not leave after SIGTERM");
    assert_false(scene.by_us); // what it ran is not to be sent again
}

static void one_that_was_told_before_it_was_ready_leaves_then(void **state)
{
    (void)state;
    scene_start();
    scene_greet();
    fake_says(scene.fake, SP_MESSAGE_LEAVING, NULL, 0);
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    scene_run(0);
    scene_expect("");
    scene_answer(SP_STATUS_OK);
    scene_expect("ready;leaving;");
}

static void a_cancel_is_sent_while_there_is_room(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    assert_true(sp_worker_cancel(scene.worker, 1, 2));
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CANCEL);
    bool sent = true;
    for (int i = 0; i < 100000 && sent; i++) {
        sent = sp_worker_cancel(scene.worker, 1, 2);
    }
    assert_false(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(one_that_answers_its_first_call_is_ready),
        SCENE_TEST(a_start_that_takes_too_long_fails),
        SCENE_TEST(a_late_start_says_where_it_is),
        SCENE_TEST(a_late_start_that_does_not_answer_fails_a_little_later),
        SCENE_TEST(a_start_that_has_not_greeted_is_not_asked_where_it_is),
        SCENE_TEST(one_that_becomes_ready_when_it_is_late_is_ready),
        SCENE_TEST(an_answer_to_what_was_not_asked_is_a_violation),
        SCENE_TEST(what_an_adapter_failed_of_is_kept),
        SCENE_TEST(a_first_answer_that_is_an_error_ends_it),
        SCENE_TEST(a_bell_that_is_rung_for_nothing_ends_it),
        SCENE_TEST(a_bridge_of_another_version_is_refused),
        SCENE_TEST(a_first_call_that_cannot_be_watched_is_a_want),
        SCENE_TEST(what_it_may_not_say_ends_it),
        SCENE_TEST(large_tools_are_told_once_at_the_start),
        SCENE_TEST(a_gil_that_comes_back_is_told_of_a_ready_one),
        SCENE_TEST(what_a_worker_has_mapped_is_told),
        SCENE_TEST(events_after_the_exit_are_not_looked_for),
        SCENE_TEST(heartbeats_begin_with_its_greeting),
        SCENE_TEST(one_that_answers_its_heartbeats_lives),
        SCENE_TEST(one_that_does_not_is_killed),
        SCENE_TEST(one_that_has_lost_its_channel_is_killed),
        SCENE_TEST(one_that_dies_with_its_channel_is_not),
        SCENE_TEST(one_that_is_stopped_gets_a_message_and_then_signals),
        SCENE_TEST(one_that_starts_is_stopped_by_a_signal),
        SCENE_TEST(one_that_does_not_read_is_stopped_by_a_signal),
        SCENE_TEST(one_that_was_told_from_outside_ends_what_it_runs_first),
        SCENE_TEST(one_that_was_told_twice_has_one_grace),
        SCENE_TEST(one_that_was_told_before_it_was_ready_leaves_then),
        SCENE_TEST(a_cancel_is_sent_while_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
