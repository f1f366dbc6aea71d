// SPDX-License-Identifier: MIT
// Children whose numbers were given to others.
#include "base/pidfd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

// Leads a group of its own until it is killed.
static struct sp_child start(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    assert_true(pid > 0);
    assert_int_equal(setpgid(pid, pid), 0);
    struct sp_child child = {pid, (int)syscall(SYS_pidfd_open, pid, 0)};
    assert_true(child.pidfd >= 0);
    return child;
}

static int reap(struct sp_child child)
{
    int status = 0;
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    (void)close(child.pidfd);
    return status;
}

static void a_child_gets_its_signal(void **state)
{
    (void)state;
    struct sp_child child = start();
    assert_true(sp_pidfd_is_ours(child.pidfd));
    assert_true(sp_pid_is_ours(child.pid));
    assert_int_equal(sp_pidfd_signal(child, SIGTERM), 0);
    assert_int_equal(WTERMSIG(reap(child)), SIGTERM);
}

static void a_group_gets_its_signal(void **state)
{
    (void)state;
    struct sp_child child = start();
    assert_int_equal(sp_pidfd_signal_group(child, SIGUSR1), 0);
    assert_int_equal(WTERMSIG(reap(child)), SIGUSR1);
}

// A pidfd of a child that was reaped, with the number of one that lives: as if the
// kernel had given the number away.
static void a_stranger_with_the_same_number_is_not_signalled(void **state)
{
    (void)state;
    struct sp_child stranger = start();
    struct sp_child child = start();
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    struct sp_child reused = {stranger.pid, child.pidfd};
    assert_false(sp_pidfd_is_ours(child.pidfd));
    assert_int_equal(sp_pidfd_signal(reused, SIGKILL), ESRCH);
    assert_int_equal(sp_pidfd_signal_group(reused, SIGKILL), ESRCH);
    assert_int_equal(sp_pidfd_number_in_proc(child.pidfd), 0);
    (void)close(child.pidfd);
    assert_int_equal(sp_pidfd_signal(stranger, SIGTERM), 0);
    assert_int_equal(WTERMSIG(reap(stranger)), SIGTERM);
}

// As before Linux 6.9, or under a filter: the call is refused, so the number is used.
static void without_pidfd_signals_the_number_is_used_while_it_is_its_own(void **state)
{
    (void)state;
    struct sp_child child = start();
    // A signal that does not exist is refused in both ways.
    assert_int_equal(sp_pidfd_signal(child, 1000), EINVAL);
    assert_int_equal(sp_pidfd_signal_group(child, 1000), EINVAL);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    // Its number is not asked for any more: that would have been EINVAL.
    assert_int_equal(sp_pidfd_signal(child, 1000), ESRCH);
    assert_int_equal(sp_pidfd_signal_group(child, 1000), ESRCH);
    (void)close(child.pidfd);
}

static void one_that_we_may_not_signal_says_so(void **state)
{
    (void)state;
    if (getuid() != 0) {
        skip(); // only root has children that it could lose
    }
    struct sp_child child = start();
    assert_int_equal(setresuid(65534, 65534, 0), 0);
    int one = sp_pidfd_signal(child, SIGKILL);
    int group = sp_pidfd_signal_group(child, SIGKILL);
    assert_int_equal(setresuid(0, 0, 0), 0);
    assert_int_equal(one, EPERM);
    assert_int_equal(group, EPERM);
    assert_int_equal(sp_pidfd_signal(child, SIGKILL), 0);
    assert_int_equal(WTERMSIG(reap(child)), SIGKILL);
}

static void the_number_in_proc_is_its_own(void **state)
{
    (void)state;
    struct sp_child child = start();
    assert_int_equal(sp_pidfd_number_in_proc(child.pidfd), child.pid);
    assert_int_equal(sp_pidfd_number_in_proc(STDIN_FILENO), 0);
    assert_int_equal(sp_pidfd_signal(child, SIGKILL), 0);
    (void)reap(child);
}

static void what_the_kernel_remembers_is_what_happened(void **state)
{
    (void)state;
    int status = 0;
    struct sp_child child = start();
    assert_false(sp_pidfd_status(child.pidfd, &status));
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    if (!sp_pidfd_status(child.pidfd, &status)) {
        (void)close(child.pidfd);
        skip(); // before Linux 6.15
    }
    (void)close(child.pidfd);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gets_its_signal),
        cmocka_unit_test(a_group_gets_its_signal),
        cmocka_unit_test(a_stranger_with_the_same_number_is_not_signalled),
        cmocka_unit_test(without_pidfd_signals_the_number_is_used_while_it_is_its_own),
        cmocka_unit_test(one_that_we_may_not_signal_says_so),
        cmocka_unit_test(the_number_in_proc_is_its_own),
        cmocka_unit_test(what_the_kernel_remembers_is_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
