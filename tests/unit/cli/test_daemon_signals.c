// SPDX-License-Identifier: MIT
#include "cli/daemon_signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// Each in a child: dispositions are the process's.
typedef void child_fn(struct sp_loop *loop);

static void on_woken(void *user)
{
    sp_loop_stop(user);
}

static int status_of(child_fn *run)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sp_loop loop;
        if (sp_loop_init(&loop, on_woken, &loop, NULL) != SNAKEPIT_OK) {
            _exit(99);
        }
        run(&loop);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void need(bool condition, int code)
{
    if (!condition) {
        _exit(code);
    }
}

static void stop_twice(struct sp_loop *loop)
{
    sp_daemon_signals_init(loop);
    need(sp_daemon_stops() == 0, 1);
    (void)raise(SIGTERM);
    sp_loop_run(loop); // which it wakes
    need(sp_daemon_stops() == 1, 2);
    need(strcmp(sp_daemon_stop_name(), "SIGTERM") == 0, 3);
    (void)raise(SIGINT);
    need(sp_daemon_stops() == 2, 4);
    need(strcmp(sp_daemon_stop_name(), "SIGINT") == 0, 5);
}

static void each_stop_is_counted(void **state)
{
    (void)state;
    assert_int_equal(status_of(stop_twice), 0);
}

static void hang_up(struct sp_loop *loop)
{
    (void)signal(SIGHUP, SIG_IGN); // as nohup does
    sp_daemon_signals_init(loop);
    need(!sp_daemon_take_reload(), 1);
    (void)raise(SIGHUP);
    (void)raise(SIGHUP);
    sp_loop_run(loop);
    need(sp_daemon_take_reload(), 2);
    need(!sp_daemon_take_reload(), 3);
    need(sp_daemon_stops() == 0, 4);
}

static void a_hangup_asks_for_a_reload(void **state)
{
    (void)state;
    assert_int_equal(status_of(hang_up), 0);
}

static void interrupt_in_background(struct sp_loop *loop)
{
    (void)signal(SIGINT, SIG_IGN);
    sp_daemon_signals_init(loop);
    (void)raise(SIGINT);
    need(sp_daemon_stops() == 0, 1);
    sp_daemon_signals_end();
    (void)raise(SIGINT);
    (void)raise(SIGHUP);
}

static void what_the_parent_ignores_stays_ignored(void **state)
{
    (void)state;
    assert_int_equal(status_of(interrupt_in_background), 0);
}

static void stop_at_the_end(struct sp_loop *loop)
{
    sp_daemon_signals_init(loop);
    (void)raise(SIGTERM);
    sp_daemon_signals_end();
    (void)raise(SIGTERM);
    _exit(1);
}

static void in_the_end_a_signal_ends_it(void **state)
{
    (void)state;
    int status = status_of(stop_at_the_end);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stop_is_counted),
        cmocka_unit_test(a_hangup_asks_for_a_reload),
        cmocka_unit_test(what_the_parent_ignores_stays_ignored),
        cmocka_unit_test(in_the_end_a_signal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
