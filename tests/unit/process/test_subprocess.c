// SPDX-License-Identifier: MIT
// A process of a kind that only notes what happens to it, on a machine that is only
// memory.
#include "process/subprocess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes.h"

#define START_MS 1000u
#define GRACE_MS 300u

static struct {
    struct sp_loop loop;
    struct sp_inbox inbox;
    struct sp_subprocess child;
    struct fake_process *fake;
    char told[1024]; // what has happened, in words
    bool takes_large;
} scene;

static void note(const char *word)
{
    size_t at = strlen(scene.told);
    (void)snprintf(scene.told + at, sizeof scene.told - at, "%s;", word);
}

// ---- The kind -----------------------------------------------------------------

static void take_message(struct sp_subprocess *child,
                         const struct sp_message_head *head,
                         const uint8_t *body)
{
    char word[64];
    (void)child;
    (void)snprintf(word, sizeof word, "heard %u/%u", head->type, head->size);
    note(word);
    assert_true(head->size == 0 || body != NULL);
}

static bool may_be_large(struct sp_subprocess *child)
{
    (void)child;
    return scene.takes_large;
}

static void cannot_read(struct sp_subprocess *child, snakepit_err err)
{
    (void)child;
    note(err == SNAKEPIT_END ? "missed END" : "missed SYSTEM");
}

static void violated(struct sp_subprocess *child, const char *why)
{
    note(why);
    sp_subprocess_signal(child, SIGKILL, false);
}

static void late(struct sp_subprocess *child, const char *why)
{
    note(strstr(why, "start_timeout_ms") != NULL ? "late" : why);
    sp_subprocess_signal(child, SIGKILL, false);
}

static void terminate(struct sp_subprocess *child)
{
    note("terminate");
    sp_subprocess_signal(child, SIGTERM, true);
}

static void end(struct sp_subprocess *child)
{
    note("kill");
    sp_subprocess_signal(child, SIGKILL, false);
}

static void denied(struct sp_subprocess *child)
{
    (void)child;
    note("denied");
}

static void given_up(struct sp_subprocess *child, const char *why)
{
    assert_false(child->over);
    note("given up");
    assert_non_null(strstr(why, "may not signal it"));
}

static void exited(struct sp_subprocess *child)
{
    assert_true(child->over);
    note("exited");
}

static void clear_group(struct sp_subprocess *child)
{
    note("clear");
    (void)sp_pidfd_signal_group(sp_subprocess_child(child), SIGKILL);
    (void)sp_exit_reap(sp_subprocess_child(child));
}

static void finished(struct sp_subprocess *child)
{
    (void)child;
    note("finished");
}

static void gone(struct sp_subprocess *child)
{
    (void)child;
    note("gone");
}

static const struct sp_subprocess_kind kind = {
    .message = take_message,
    .may_be_large = may_be_large,
    .unreadable = cannot_read,
    .violated = violated,
    .late = late,
    .terminate = terminate,
    .kill = end,
    .denied = denied,
    .given_up = given_up,
    .exited = exited,
    .clear_group = clear_group,
    .finished = finished,
    .gone = gone,
};

// ---- The scene ----------------------------------------------------------------

static void woken(void *user)
{
    (void)user;
}

static int prepare(void **state)
{
    (void)state;
    machine_reset();
    memset(&scene.child, 0, sizeof scene.child);
    scene.told[0] = 0;
    scene.takes_large = false;
    assert_int_equal(sp_loop_init(&scene.loop, woken, NULL, NULL), SNAKEPIT_OK);
    const struct sp_subprocess_options options = {.loop = &scene.loop,
                                                  .inbox = &scene.inbox,
                                                  .log = &machine.log,
                                                  .pool = "pool",
                                                  .worker = 7,
                                                  .start_timeout_ms = START_MS,
                                                  .stop_grace_ms = GRACE_MS};
    sp_subprocess_init(&scene.child, &kind, &options);
    scene.fake = fake_spawn(&scene.child.process);
    return 0;
}

static int clear_up(void **state)
{
    (void)state;
    sp_subprocess_fini(&scene.child);
    sp_loop_fini(&scene.loop);
    return 0;
}

static void begin(void)
{
    snakepit_message why;
    assert_int_equal(sp_subprocess_watch_exit(&scene.child, &why), SNAKEPIT_OK);
    assert_int_equal(sp_subprocess_begin(&scene.child, &why), SNAKEPIT_OK);
}

static void run(uint64_t ms)
{
    machine_run(&scene.loop, ms);
}

// What has happened since it was asked last.
static void expect(const char *told)
{
    assert_string_equal(scene.told, told);
    scene.told[0] = 0;
}

static void is_up(void)
{
    sp_timer_stop(&scene.child.timer);
}

// Its exit was seen, and nothing is watched any more.
static void expect_end(const char *told)
{
    run(0);
    expect(told);
    assert_true(scene.child.over);
    assert_false(sp_timer_runs(&scene.child.timer));
    assert_null(scene.child.channel_watch.loop);
    assert_null(scene.child.exit_watch.loop);
    assert_null(scene.child.flow.watches[0].loop);
}

// ---- Its life -----------------------------------------------------------------

static void an_exit_is_told_in_order_and_once(void **state)
{
    (void)state;
    begin();
    is_up();
    fake_exits(scene.fake, 3, 0);
    expect_end("exited;clear;finished;gone;");
    assert_int_equal(scene.child.end.code, 3);
    assert_true(scene.fake->reaped);
    run(10 * GRACE_MS);
    expect("");
}

static void what_it_prints_is_read_to_the_end(void **state)
{
    (void)state;
    begin();
    is_up();
    fake_prints(scene.fake, "first words\n");
    run(0);
    assert_int_equal(machine_logged("line=\"first words\""), 1);
    fake_prints(scene.fake, "last words\n");
    fake_exits(scene.fake, 1, 0);
    run(0);
    assert_int_equal(machine_logged("pool=pool worker=7 line=\"last words\""), 1);
}

static void one_that_is_not_ready_in_time_is_late(void **state)
{
    (void)state;
    begin();
    run(START_MS - 1);
    expect("");
    run(2);
    expect("late;exited;clear;finished;gone;");
    assert_string_equal(fake_signals(scene.fake), "KILL KILL+");
}

static void what_it_leaves_behind_is_asked_and_waited_for(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->others = true;
    scene.fake->others_leave = true;
    fake_exits(scene.fake, 0, 0);
    run(10);
    expect("exited;");
    run(30);
    expect("clear;finished;gone;");
    assert_string_equal(fake_signals(scene.fake), "TERM+ KILL+");
}

static void what_stays_behind_is_killed_after_the_grace(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->others = true;
    fake_exits(scene.fake, 0, 0);
    run(GRACE_MS - 50);
    expect("exited;");
    run(100);
    expect("clear;finished;gone;");
    assert_false(scene.fake->others);
}

// ---- The ladder ---------------------------------------------------------------

static void who_does_not_leave_gets_sigterm_and_then_sigkill(void **state)
{
    (void)state;
    begin();
    sp_subprocess_give_grace(&scene.child);
    run(GRACE_MS - 1);
    expect("");
    run(2);
    expect("terminate;");
    assert_string_equal(fake_signals(scene.fake), "TERM+");
    run(GRACE_MS - 5);
    expect("");
    run(10);
    expect("kill;exited;clear;finished;gone;");
}

static void who_leaves_is_not_signalled(void **state)
{
    (void)state;
    begin();
    sp_subprocess_give_grace(&scene.child);
    run(GRACE_MS / 2);
    fake_exits(scene.fake, 0, 0);
    expect_end("exited;clear;finished;gone;");
    run(10 * GRACE_MS);
    assert_string_equal(fake_signals(scene.fake), "KILL+");
}

static void the_last_step_can_be_all(void **state)
{
    (void)state;
    begin();
    sp_subprocess_give_last_grace(&scene.child);
    run(GRACE_MS + 2);
    expect("kill;exited;clear;finished;gone;");
}

static void one_that_has_left_its_group_is_signalled_itself(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->left_group = true;
    sp_subprocess_signal(&scene.child, SIGTERM, true);
    assert_string_equal(fake_signals(scene.fake), "TERM+ TERM");
}

static void nobody_is_signalled_before_the_birth_and_after_the_exit(void **state)
{
    (void)state;
    sp_subprocess_signal(&scene.child, SIGTERM, true);
    assert_int_equal(scene.fake->signal_count, 0);
    begin();
    is_up();
    fake_exits(scene.fake, 0, 0);
    run(0);
    uint32_t before = scene.fake->signal_count;
    sp_subprocess_signal(&scene.child, SIGKILL, true);
    assert_int_equal(scene.fake->signal_count, before);
}

// ---- One that may not be signalled --------------------------------------------

static void
one_that_may_not_be_signalled_loses_its_channel_and_is_given_up(void **state)
{
    char byte;
    (void)state;
    begin();
    is_up();
    scene.fake->refuses = EPERM;
    sp_subprocess_signal(&scene.child, SIGTERM, false);
    sp_subprocess_signal(&scene.child, SIGKILL, false);
    expect("denied;");
    assert_int_equal(machine_logged("pool=pool worker=7 pid="), 1);
    assert_int_equal(machine_logged("changed its user"), 1);
    assert_int_equal(recv(scene.fake->channel, &byte, 1, MSG_DONTWAIT), 0);
    run(900);
    expect("missed END;");
    run(200);
    expect("given up;exited;finished;gone;");
    assert_false(scene.child.end.known);
}

static void one_that_leaves_then_is_not_given_up(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->refuses = EPERM;
    sp_subprocess_signal(&scene.child, SIGKILL, false);
    run(500);
    expect("denied;missed END;");
    fake_exits(scene.fake, 0, 0);
    expect_end("exited;clear;finished;gone;");
}

// ---- What it sends ------------------------------------------------------------

static void messages_are_heard_in_order(void **state)
{
    (void)state;
    begin();
    is_up();
    fake_says(scene.fake, SP_MESSAGE_READY, "abc", 3);
    fake_says(scene.fake, SP_MESSAGE_PONG, NULL, 0);
    run(0);
    expect("heard 3/3;heard 6/0;");
}

static void bytes_that_are_not_a_message_end_it(void **state)
{
    (void)state;
    begin();
    is_up();
    assert_int_equal(send(scene.fake->channel, "what is this", 12, 0), 12);
    fake_says(scene.fake, SP_MESSAGE_READY, NULL, 0);
    expect_end("it sent bytes that are not a message;exited;clear;finished;gone;");
}

static void a_flood_of_messages_ends_it(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->stays = true;
    const char *what = "it sent more messages than there is a reason for;";
    for (int i = 0; i < 100 && scene.child.channel_watch.loop != NULL; i++) {
        for (int j = 0; j < SP_MESSAGES_A_TURN; j++) {
            fake_says(scene.fake, SP_MESSAGE_PONG, NULL, 0);
        }
        scene.told[0] = 0;
        run(0);
    }
    assert_null(scene.child.channel_watch.loop);
    assert_non_null(strstr(scene.told, what));
}

static void the_end_of_the_channel_is_not_the_end_of_the_process(void **state)
{
    (void)state;
    begin();
    is_up();
    fake_says(scene.fake, SP_MESSAGE_PONG, NULL, 0);
    fake_hangs_up(scene.fake);
    run(100);
    expect("heard 6/0;missed END;");
    assert_false(scene.child.over);
}

static void nothing_is_read_after_the_exit(void **state)
{
    (void)state;
    begin();
    is_up();
    scene.fake->others = true;
    fake_exits(scene.fake, 0, 0);
    run(0);
    expect("exited;");
    fake_says(scene.fake, SP_MESSAGE_EVENTS, NULL, 0);
    run(40);
    expect("");
}

static void a_large_message_is_taken_where_its_kind_says_so(void **state)
{
    static uint8_t body[SP_MESSAGE_MAX + 1];
    (void)state;
    begin();
    is_up();
    scene.takes_large = true;
    fake_says(scene.fake, SP_MESSAGE_READY, body, sizeof body);
    run(0);
    expect("heard 3/163841;");
    assert_true(scene.child.said_much);
    scene.takes_large = false;
    fake_says(scene.fake, SP_MESSAGE_READY, body, sizeof body);
    expect_end("it sent bytes that are not a message;exited;clear;finished;gone;");
}

// ---- What can go wrong --------------------------------------------------------

static void one_whose_exit_cannot_be_watched_is_not_kept(void **state)
{
    snakepit_message why;
    (void)state;
    machine.watch_refuses = ENOSPC;
    assert_int_equal(sp_subprocess_watch_exit(&scene.child, &why), SNAKEPIT_SYSTEM);
    assert_non_null(strstr(why.text, "epoll_ctl"));
    assert_int_equal(scene.child.process.pidfd, -1);
    assert_false(scene.child.born);
}

static void one_whose_channel_cannot_be_watched_can_be_discarded(void **state)
{
    snakepit_message why;
    (void)state;
    assert_int_equal(sp_subprocess_watch_exit(&scene.child, &why), SNAKEPIT_OK);
    machine.watch_refuses = ENOSPC;
    machine.watches_left = 2; // its output
    assert_int_equal(sp_subprocess_begin(&scene.child, &why), SNAKEPIT_SYSTEM);
    sp_subprocess_discard(&scene.child);
    expect_end("");
}

static void a_configuration_that_cannot_be_sent_is_explained(void **state)
{
    snakepit_message why;
    (void)state;
    begin();
    is_up();
    fake_hangs_up(scene.fake);
    assert_int_equal(sp_subprocess_configure(&scene.child, (struct sp_slice){0}, &why),
                     SNAKEPIT_SYSTEM);
    assert_non_null(strstr(why.text, "of its configuration"));
    const struct sp_slice huge = {(const uint8_t *)"", (size_t)SP_LARGE_MAX + 1};
    assert_int_not_equal(sp_subprocess_configure(&scene.child, huge, &why),
                         SNAKEPIT_OK);
    assert_non_null(strstr(why.text, "over the 64 MiB"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, clear_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(an_exit_is_told_in_order_and_once),
        test(what_it_prints_is_read_to_the_end),
        test(one_that_is_not_ready_in_time_is_late),
        test(what_it_leaves_behind_is_asked_and_waited_for),
        test(what_stays_behind_is_killed_after_the_grace),
        test(who_does_not_leave_gets_sigterm_and_then_sigkill),
        test(who_leaves_is_not_signalled),
        test(the_last_step_can_be_all),
        test(one_that_has_left_its_group_is_signalled_itself),
        test(nobody_is_signalled_before_the_birth_and_after_the_exit),
        test(one_that_may_not_be_signalled_loses_its_channel_and_is_given_up),
        test(one_that_leaves_then_is_not_given_up),
        test(messages_are_heard_in_order),
        test(bytes_that_are_not_a_message_end_it),
        test(a_flood_of_messages_ends_it),
        test(the_end_of_the_channel_is_not_the_end_of_the_process),
        test(nothing_is_read_after_the_exit),
        test(a_large_message_is_taken_where_its_kind_says_so),
        test(one_whose_exit_cannot_be_watched_is_not_kept),
        test(one_whose_channel_cannot_be_watched_can_be_discarded),
        test(a_configuration_that_cannot_be_sent_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
