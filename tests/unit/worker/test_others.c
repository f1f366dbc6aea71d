// SPDX-License-Identifier: MIT
// Groups whose leader has exited and is not reaped.
#include "worker/others.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "worker/worker.h"

static void stay(int alive)
{
    char byte = 0;
    (void)!write(alive, &byte, 1);
    for (;;) {
        (void)pause();
    }
}

// A leader that starts `members` others and exits, and waits until both is done.
// `*alive` is at its end when no member is left.
static pid_t start_group(int members, int *alive)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t leader = fork();
    if (leader == 0) {
        (void)setpgid(0, 0);
        for (int i = 0; i < members; i++) {
            if (fork() == 0) {
                stay(ends[1]);
            }
        }
        _exit(0);
    }
    assert_true(leader > 0);
    close(ends[1]);
    for (int i = 0; i < members; i++) {
        assert_int_equal(read(ends[0], &byte, 1), 1);
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT), 0);
    *alive = ends[0];
    return leader;
}

static void end_group(pid_t leader, int alive)
{
    char byte;
    (void)kill(-leader, SIGKILL);
    assert_int_equal(read(alive, &byte, 1), 0);
    close(alive);
    // Their descriptors are closed a moment before they are gone. Whoever is their
    // parent now may be slow to reap them; a zombie is not there.
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (sp_others_find(leader, 0) != 0) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    assert_int_equal(waitpid(leader, NULL, 0), leader);
}

static void a_leader_that_is_alone_has_no_others(void **state)
{
    (void)state;
    int alive;
    pid_t leader = start_group(0, &alive);
    assert_int_equal(sp_others_find(leader, 0), 0);
    assert_int_equal(sp_others_find(leader, 0), 0);
    assert_int_equal(sp_others_find(leader, getpid()), 0);
    end_group(leader, alive);
}

static void the_others_are_found_until_the_last_is_gone(void **state)
{
    (void)state;
    int alive;
    pid_t leader = start_group(3, &alive);
    pid_t first = sp_others_find(leader, 0);
    assert_true(first > 0);
    assert_int_not_equal(first, leader);
    assert_int_equal(getpgid(first), leader);
    assert_int_equal(sp_others_find(leader, first), first);
    assert_int_equal(kill(first, SIGKILL), 0);
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (sp_others_find(leader, first) == first) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    pid_t second = sp_others_find(leader, first);
    assert_int_not_equal(second, first);
    assert_int_equal(getpgid(second), leader);
    end_group(leader, alive);
}

static void only_a_worker_that_leaves_in_order_may_leave_others(void **state)
{
    (void)state;
    static const struct {
        struct sp_exit end;
        bool asked;
        bool killed;
        bool replaced;
        bool stay;
    } rows[] = {
        {{.known = 1}, .asked = true, .stay = true},
        {{.known = 1, .signal = SIGTERM}, .asked = true, .stay = true},
        {{.known = 0}, .asked = true, .stay = true},
        {{.known = 1}, .asked = false},
        {{.known = 1, .code = 1}, .asked = true},
        {{.known = 1, .signal = SIGSEGV}, .asked = true},
        {{.known = 1}, .asked = true, .killed = true},
        {{.known = 0}, .asked = true, .replaced = true},
        {{.known = 0, .gone = 1}, .asked = true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_worker worker = {0};
        atomic_init(&worker.replaced, rows[i].replaced);
        atomic_init(&worker.asked, rows[i].asked);
        atomic_init(&worker.killed_for, rows[i].killed ? "it was slow" : NULL);
        assert_int_equal(sp_others_may_stay(&worker, &rows[i].end), rows[i].stay);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_is_alone_has_no_others),
        cmocka_unit_test(the_others_are_found_until_the_last_is_gone),
        cmocka_unit_test(only_a_worker_that_leaves_in_order_may_leave_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
