// SPDX-License-Identifier: MIT
// Groups whose leader has exited and is not reaped.
#include "process/others.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

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
static struct sp_child start_group(int members, int *alive)
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
    return (struct sp_child){leader, (int)syscall(SYS_pidfd_open, leader, 0)};
}

static void end_group(struct sp_child leader, int alive)
{
    char byte;
    pid_t last = 0;
    (void)sp_pidfd_signal_group(leader, SIGKILL);
    assert_int_equal(read(alive, &byte, 1), 0);
    close(alive);
    // Their descriptors are closed a moment before they are gone. Whoever is their
    // parent now may be slow to reap them; a zombie is not there.
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (sp_others_remain(leader, &last)) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    assert_int_equal(waitpid(leader.pid, NULL, 0), leader.pid);
    (void)close(leader.pidfd);
}

static void a_leader_that_is_alone_has_no_others(void **state)
{
    (void)state;
    int alive;
    struct sp_child leader = start_group(0, &alive);
    pid_t last = 0;
    assert_false(sp_others_remain(leader, &last));
    last = getpid(); // of another group
    assert_false(sp_others_remain(leader, &last));
    end_group(leader, alive);
}

static void the_others_are_found_until_the_last_is_gone(void **state)
{
    (void)state;
    int alive;
    struct sp_child leader = start_group(3, &alive);
    pid_t last = 0;
    assert_true(sp_others_remain(leader, &last));
    pid_t first = last;
    assert_true(first > 0);
    assert_int_not_equal(first, leader.pid);
    assert_int_equal(getpgid(first), leader.pid);
    assert_true(sp_others_remain(leader, &last));
    assert_int_equal(last, first);
    assert_int_equal(kill(first, SIGKILL), 0);
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (last == first) {
        assert_true(sp_others_remain(leader, &last));
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    assert_int_equal(getpgid(last), leader.pid);
    end_group(leader, alive);
}

// ---- What becomes of them -----------------------------------------------------

static bool alone;

static void on_alone(struct sp_others *others)
{
    alone = true;
    (void)sp_pidfd_signal_group(others->leader, SIGKILL);
    sp_loop_stop(others->timer.user);
}

static void on_woken(void *unused)
{
    (void)unused;
}

// Asks, and runs the loop until it is alone. False: there was nobody to ask.
static bool ask(struct sp_child leader, uint32_t grace_ms)
{
    struct sp_loop loop;
    struct sp_others others = {.timer.user = &loop};
    alone = false;
    assert_int_equal(sp_loop_init(&loop, on_woken, NULL, NULL), SNAKEPIT_OK);
    bool asked = sp_others_ask(&others, &loop, leader, grace_ms, on_alone);
    if (asked) {
        sp_loop_run(&loop);
    }
    sp_loop_fini(&loop);
    assert_int_equal(alone, asked);
    return asked;
}

static void those_that_heed_term_are_not_waited_for(void **state)
{
    (void)state;
    int alive;
    struct sp_child leader = start_group(2, &alive);
    uint64_t begun = sp_clock_now();
    assert_true(ask(leader, 60000));
    assert_true(sp_clock_now() - begun < 50 * SP_NS_PER_S);
    end_group(leader, alive);
}

static void those_that_do_not_are_killed_after_the_grace(void **state)
{
    (void)state;
    int alive;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGTERM, &ignore, &before), 0);
    struct sp_child leader = start_group(2, &alive);
    assert_int_equal(sigaction(SIGTERM, &before, NULL), 0);
    uint64_t begun = sp_clock_now();
    assert_true(ask(leader, 100));
    assert_true(sp_clock_now() - begun >= 100 * SP_NS_PER_MS);
    end_group(leader, alive);
}

static void nobody_is_not_asked(void **state)
{
    (void)state;
    int alive;
    struct sp_child leader = start_group(0, &alive);
    assert_false(ask(leader, 60000));
    end_group(leader, alive);
}

// As where the host ignores SIGCHLD: the leader's number may be another's by now.
static void the_others_of_a_leader_that_was_reaped_are_found(void **state)
{
    (void)state;
    int alive;
    char byte;
    struct sp_child leader = start_group(1, &alive);
    assert_int_equal(waitpid(leader.pid, NULL, 0), leader.pid);
    pid_t last = 0;
    if (sp_pidfd_signal_group(leader, 0) != 0) {
        skip(); // before Linux 6.9
    }
    assert_true(sp_others_remain(leader, &last));
    assert_true(ask(leader, 60000));
    assert_int_equal(read(alive, &byte, 1), 0);
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (sp_others_remain(leader, &last)) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    (void)close(alive);
    (void)close(leader.pidfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_is_alone_has_no_others),
        cmocka_unit_test(the_others_are_found_until_the_last_is_gone),
        cmocka_unit_test(those_that_heed_term_are_not_waited_for),
        cmocka_unit_test(those_that_do_not_are_killed_after_the_grace),
        cmocka_unit_test(nobody_is_not_asked),
        cmocka_unit_test(the_others_of_a_leader_that_was_reaped_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
