// SPDX-License-Identifier: MIT
// How a worker ends, in each way there is, on a machine that is only memory.
#include "process/birth.h"

#include "scene.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "port/watcher.h"

// What its lifeline tells, as the watcher's thread would.
static void lifeline(enum sp_life life)
{
    sp_worker_lifeline_ended(scene.worker, life);
}

// ---- Its exit -----------------------------------------------------------------

static void an_exit_is_a_loss_with_its_cause_and_its_last_words(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    fake_prints(scene.fake, "one\nlast words");
    fake_exits(scene.fake, 0, SIGSEGV);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_string_equal(scene.cause, "killed by signal 11 (SIGSEGV)");
    assert_string_equal(scene.last_output, "one\nlast words\n");
    assert_false(scene.by_us);
    assert_int_equal(machine_logged("signal=11 expected=no"), 1);
    assert_true(scene.fake->reaped);
}

static void one_that_was_to_stop_is_expected_to_exit(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_stop(scene.worker);
    fake_exits(scene.fake, 0, 0);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_int_equal(machine_logged("code=0 expected=yes"), 1);
}

static void the_first_reason_for_a_kill_is_told(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_kill(scene.worker, "of the first");
    sp_worker_kill(scene.worker, "of the second");
    scene_expect_killed("of the first");
    assert_true(scene.by_us);
}

// Its calls may be what has eaten its memory: they are not lost for nothing.
static void what_a_worker_runs_may_be_to_blame(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_kill_for_calls(scene.worker, "of its calls");
    scene_expect_killed("of its calls");
    assert_false(scene.by_us);
    assert_int_equal(sp_worker_death(scene.worker), SP_DEATH_CALL);
}

// Its calls beside the one that is known to be stuck are lost for nothing.
static void a_kill_for_what_is_known_is_counted_as_that(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_kill_as(scene.worker, SP_DEATH_CALL, "of a call");
    scene_expect_killed("of a call");
    assert_true(scene.by_us);
    assert_int_equal(sp_worker_death(scene.worker), SP_DEATH_CALL);
}

static void an_end_is_expected(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_end(scene.worker, "it is not needed");
    scene_expect_killed("it is not needed");
    assert_int_equal(sp_worker_death(scene.worker), SP_DEATH_STOPPED);
    assert_int_equal(machine_logged("expected=yes"), 1);
}

static void nothing_is_done_to_one_that_is_dead(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    fake_exits(scene.fake, 0, 0);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    uint32_t before = scene.fake->signal_count;
    sp_worker_kill(scene.worker, "of nothing");
    sp_worker_stop(scene.worker);
    assert_int_equal(scene.fake->signal_count, before);
    scene_run(10 * SCENE_GRACE_MS);
    scene_expect("");
}

// ---- How it ended -------------------------------------------------------------

static void end_with(int code, int signal, enum sp_death death)
{
    scene_start();
    scene_become_ready();
    fake_exits(scene.fake, code, signal);
    scene_run(0);
    assert_int_equal(sp_worker_death(scene.worker), death);
}

static void a_status_is_an_exit(void **state)
{
    (void)state;
    end_with(3, 0, SP_DEATH_EXIT);
}

static void a_signal_is_a_signal(void **state)
{
    (void)state;
    end_with(0, SIGSEGV, SP_DEATH_SIGNAL);
}

static void whoever_breaks_the_protocol_dies_of_that(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_kill_for_violation(scene.worker, "of nonsense");
    fake_exits(scene.fake, 0, SIGKILL);
    scene_run(0);
    assert_int_equal(sp_worker_death(scene.worker), SP_DEATH_VIOLATION);
}

// ---- Who asked it -------------------------------------------------------------

static void a_worker_that_others_told_to_end_was_told(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.worker->port->view.header->fault = SP_FAULT_TOLD;
    fake_exits(scene.fake, 0, SIGTERM);
    scene_run(0);
    assert_true(sp_worker_was_told(scene.worker));
    assert_string_equal(scene.cause, "ended by SIGTERM, which came from outside");
    assert_int_equal(machine_logged("from outside"), 1);
}

static void one_that_we_told_was_not(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    sp_worker_stop(scene.worker);
    scene_run(SCENE_GRACE_MS + 5); // SIGTERM
    scene.worker->port->view.header->fault = SP_FAULT_TOLD;
    assert_int_equal(sp_worker_fault(scene.worker), SP_FAULT_NONE);
    fake_exits(scene.fake, 0, SIGTERM);
    scene_run(0);
    assert_false(sp_worker_was_told(scene.worker));
}

// ---- Its lifeline -------------------------------------------------------------

static void a_broken_lifeline_tells_the_loss_before_the_exit(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->exited = true; // but its pidfd does not say so yet
    scene.fake->code = 3;
    lifeline(SP_LIFE_ENDED);
    scene_expect("lost;");
    assert_non_null(strstr(scene.cause, "exited with status 3"));
    fake_exits(scene.fake, 3, 0);
    scene_run(0);
    scene_expect("exited;gone;"); // and not once more
}

static void a_forged_lifeline_is_a_violation(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    lifeline(SP_LIFE_FORGED);
    scene_expect("");
    scene_expect_killed("it wrote to its lifeline");
    assert_true(scene.violated);
    assert_false(scene.by_us);
}

// ---- What it leaves behind ----------------------------------------------------

static void its_place_is_free_while_others_of_its_group_leave(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->others = true;
    fake_exits(scene.fake, 0, 0);
    scene_run(SCENE_GRACE_MS - 50);
    scene_expect("lost;exited;");
    scene_run(100);
    scene_expect("gone;");
    assert_string_equal(fake_signals(scene.fake), "TERM+ KILL+");
    assert_int_equal(machine_logged("because=\"Operation not permitted\""), 0);
}

static void others_that_may_not_be_killed_are_told_of(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->others = true;
    fake_exits(scene.fake, 0, 0);
    scene_run(0);
    scene.fake->refuses = EPERM;
    scene.fake->stays = true;
    scene_run(SCENE_GRACE_MS + 50);
    assert_non_null(strstr(scene.told, "gone;"));
}

// ---- One that may not be signalled --------------------------------------------

static void its_owner_is_told_of_a_denial_once_and_later(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->refuses = EPERM;
    sp_worker_kill(scene.worker, "it is a test");
    sp_worker_kill(scene.worker, "it is a test");
    scene_expect(""); // whoever kills may hold its locks
    scene_run(0);
    scene_expect("denied;");
}

static void one_that_nothing_stops_is_given_up(void **state)
{
    char byte;
    (void)state;
    scene_start();
    scene_become_ready();
    scene.fake->refuses = EPERM;
    sp_worker_stop(scene.worker);
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_STOP);
    scene_run(2 * SCENE_GRACE_MS + 10);
    scene_expect("denied;");
    assert_int_equal(recv(scene.fake->channel, &byte, 1, MSG_DONTWAIT), 0);
    scene_run(1100);
    scene_expect("lost;exited;gone;");
    assert_string_equal(scene.cause,
                        "killed by us because it did not leave after SIGTERM");
    assert_int_equal(machine_logged("so could not stop it"), 1);
    assert_int_equal(machine_logged("worker.exit"), 1);
    assert_int_equal(machine_logged(" signal="), 0);
}

// ---- Its stack ----------------------------------------------------------------

static void leave_stack(uint32_t of)
{
    struct sp_port *port = scene.worker->port;
    (void)strcpy(port->view.stack, "Stack:\n  File \"a.py\", line 1 in \x1b\n");
    atomic_store(&port->view.header->stack_of, of);
}

static void the_stack_of_a_crash_is_told_and_logged(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    leave_stack(SIGSEGV);
    fake_exits(scene.fake, 0, SIGSEGV);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_string_equal(scene.stack, "Stack:\n  File \"a.py\", line 1 in ?\n");
    assert_int_equal(machine_logged("stack=\"Stack:   File \\\"a.py\\\""), 1);
}

static void the_stack_of_a_signal_that_was_survived_is_not(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    leave_stack(SIGABRT);
    fake_exits(scene.fake, 0, SIGKILL);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_string_equal(scene.stack, "");
    assert_int_equal(machine_logged("worker.crash"), 0);
}

static void one_that_was_killed_by_us_did_not_crash(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    leave_stack(SIGKILL);
    sp_worker_kill(scene.worker, "it is a test");
    scene_expect_killed("it is a test");
    assert_string_equal(scene.stack, "");
}

static void a_stack_has_an_end(void **state)
{
    (void)state;
    scene_start();
    scene_become_ready();
    leave_stack(SIGSEGV);
    memset(scene.worker->port->view.stack, 'x', SP_STACK_MAX);
    fake_exits(scene.fake, 0, SIGSEGV);
    scene_run(0);
    scene_expect("lost;exited;gone;");
    assert_int_equal(strlen(scene.stack), SP_STACK_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_exit_is_a_loss_with_its_cause_and_its_last_words),
        SCENE_TEST(one_that_was_to_stop_is_expected_to_exit),
        SCENE_TEST(the_first_reason_for_a_kill_is_told),
        SCENE_TEST(what_a_worker_runs_may_be_to_blame),
        SCENE_TEST(a_kill_for_what_is_known_is_counted_as_that),
        SCENE_TEST(an_end_is_expected),
        SCENE_TEST(nothing_is_done_to_one_that_is_dead),
        SCENE_TEST(the_stack_of_a_crash_is_told_and_logged),
        SCENE_TEST(the_stack_of_a_signal_that_was_survived_is_not),
        SCENE_TEST(one_that_was_killed_by_us_did_not_crash),
        SCENE_TEST(a_stack_has_an_end),
        SCENE_TEST(a_status_is_an_exit),
        SCENE_TEST(a_signal_is_a_signal),
        SCENE_TEST(whoever_breaks_the_protocol_dies_of_that),
        SCENE_TEST(a_worker_that_others_told_to_end_was_told),
        SCENE_TEST(one_that_we_told_was_not),
        SCENE_TEST(a_broken_lifeline_tells_the_loss_before_the_exit),
        SCENE_TEST(a_forged_lifeline_is_a_violation),
        SCENE_TEST(its_place_is_free_while_others_of_its_group_leave),
        SCENE_TEST(others_that_may_not_be_killed_are_told_of),
        SCENE_TEST(its_owner_is_told_of_a_denial_once_and_later),
        SCENE_TEST(one_that_nothing_stops_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
