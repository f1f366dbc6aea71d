// SPDX-License-Identifier: MIT
#include "inspect/threads.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void this_thread_runs_whatever_its_name_is(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "a) T ((b"), 0);
    assert_int_equal(sp_threads_state(getpid(), (uint64_t)gettid()), 'R');
}

static void a_process_that_is_stopped_is_told_to_be(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    char seen = sp_threads_state(child, (uint64_t)child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(seen, 'T');
    assert_string_equal(sp_threads_state_name(seen), "stopped");
}

static void what_is_no_thread_of_the_process_has_no_state(void **state)
{
    (void)state;
    assert_int_equal(sp_threads_state(getpid(), (uint64_t)getppid()), 0);
    assert_int_equal(sp_threads_state(getpid(), UINT64_MAX), 0);
    assert_int_equal(sp_threads_state(getpid(), 0), 0);
    assert_int_equal(sp_threads_state(0, (uint64_t)getpid()), 0);
    assert_string_equal(sp_threads_state_name(0), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_thread_runs_whatever_its_name_is),
        cmocka_unit_test(a_process_that_is_stopped_is_told_to_be),
        cmocka_unit_test(what_is_no_thread_of_the_process_has_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
