// SPDX-License-Identifier: MIT
#include "base/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_check_that_holds_does_nothing(void **state)
{
    (void)state;
    SP_CHECK(1 + 1 == 2);
}

static void a_check_that_fails_says_where_and_aborts(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        // Not cmocka's handler, and no core.
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        SP_CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {0};
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "1 + 1 == 3"));
    assert_non_null(strstr(text, "test_check.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_that_holds_does_nothing),
        cmocka_unit_test(a_check_that_fails_says_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
