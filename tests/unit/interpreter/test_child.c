// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#include "base/clock.h"
#include "interpreter/child.h"

static snakepit_err run(const char *script, uint64_t ms, struct sp_child_result *result)
{
    char shell[] = "/bin/sh";
    char flag[] = "-c";
    char *text = strdup(script);
    assert_non_null(text);
    char *argv[] = {shell, flag, text, NULL};
    snakepit_err err =
        sp_child_run(argv, NULL, sp_clock_now() + ms * SP_NS_PER_MS, result, NULL);
    free(text);
    return err;
}

static void the_reply_has_a_channel_of_its_own(void **state)
{
    (void)state;
    struct sp_child_result result;
    snakepit_err err =
        run("echo noise; echo last >&2; echo; printf reply >&3; exit 7", 9000, &result);
    assert_int_equal(err, SNAKEPIT_OK);
    assert_string_equal((char *)result.reply.data, "reply");
    assert_string_equal(result.last_words, "last");
    assert_true(WIFEXITED(result.status));
    assert_int_equal(WEXITSTATUS(result.status), 7);
    sp_child_result_fini(&result);
}

static void a_child_that_says_nothing_is_killed_at_the_deadline(void **state)
{
    (void)state;
    struct sp_child_result result;
    uint64_t start = sp_clock_now();
    assert_int_equal(run("exec sleep 60", 100, &result), SNAKEPIT_DEADLINE_EXCEEDED);
    assert_true(sp_clock_now() - start >= 100 * SP_NS_PER_MS);
    assert_true(WIFSIGNALED(result.status));
    sp_child_result_fini(&result);
    // It has closed its reply, but stays.
    assert_int_equal(run("exec 3>&-; exec sleep 60", 100, &result),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    assert_int_equal(WTERMSIG(result.status), SIGKILL);
    sp_child_result_fini(&result);
}

static void nobody_of_its_group_is_left(void **state)
{
    (void)state;
    struct sp_child_result result;
    assert_int_equal(run("sleep 60 3>&- & echo $! >&3", 9000, &result), SNAKEPIT_OK);
    pid_t helper = atoi((char *)result.reply.data);
    assert_true(helper > 1);
    // Its parent is init now, or nobody who waits for it; a zombie is dead as well.
    char path[64];
    char stat[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)helper);
    for (int i = 0; i < 1000; i++) {
        int fd = open(path, O_RDONLY);
        ssize_t got = fd >= 0 ? read(fd, stat, sizeof(stat) - 1) : 0;
        stat[got > 0 ? got : 0] = '\0';
        if (fd >= 0) {
            close(fd);
        }
        if (stat[0] == '\0' || strstr(stat, ") Z ") != NULL) {
            break;
        }
        // The kernel takes a moment to deliver the signal that was sent.
        sched_yield();
    }
    assert_true(stat[0] == '\0' || strstr(stat, ") Z ") != NULL);
    sp_child_result_fini(&result);
}

// Instead of the C library's: counts those whose number is not a child of ours.
static int strangers_signalled;

int kill(pid_t pid, int number)
{
    siginfo_t info;
    pid_t child = pid < 0 ? -pid : pid;
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        strangers_signalled++;
    }
    return (int)syscall(SYS_kill, pid, number);
}

static void a_number_that_may_be_anothers_is_not_signalled(void **state)
{
    (void)state;
    struct sigaction before;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sp_child_result result;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    strangers_signalled = 0;
    // The kernel reaps it when it ends, and may give its number away.
    assert_int_equal(run("printf x >&3", 9000, &result), SNAKEPIT_OK);
    assert_string_equal((char *)result.reply.data, "x");
    assert_int_equal(strangers_signalled, 0);
    sp_child_result_fini(&result);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static void it_inherits_no_descriptor(void **state)
{
    (void)state;
    struct sp_child_result result;
    int leak = open("/dev/null", O_RDONLY);
    assert_int_equal(fcntl(leak, F_DUPFD, 50), 50);
    assert_int_equal(
        run("[ -e /proc/self/fd/50 ] && printf open >&3; printf . >&3", 9000, &result),
        SNAKEPIT_OK);
    assert_string_equal((char *)result.reply.data, ".");
    close(50);
    close(leak);
    sp_child_result_fini(&result);
}

static void a_flood_is_cut_off(void **state)
{
    (void)state;
    struct sp_child_result result;
    snakepit_err err = run("exec cat /dev/zero >&3", 9000, &result);
    assert_int_equal(err, SNAKEPIT_OK);
    assert_true(result.reply.size < SP_CHILD_REPLY_MAX + 8192);
    assert_int_equal(WTERMSIG(result.status), SIGPIPE);
    sp_child_result_fini(&result);
    assert_int_equal(run("exec cat /dev/zero", 200, &result),
                     SNAKEPIT_DEADLINE_EXCEEDED);
    sp_child_result_fini(&result);
}

static void what_cannot_be_run_is_a_system_error(void **state)
{
    (void)state;
    struct sp_child_result result;
    char nothing[] = "/nope";
    char *argv[] = {nothing, NULL};
    assert_int_equal(sp_child_run(argv, NULL, SP_NEVER, &result, NULL),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(errno, ENOENT);
    sp_child_result_fini(&result);
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void no_descriptor_is_left(void **state)
{
    (void)state;
    struct sp_child_result result;
    size_t before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(run("printf x >&3", 9000, &result), SNAKEPIT_OK);
        sp_child_result_fini(&result);
    }
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reply_has_a_channel_of_its_own),
        cmocka_unit_test(a_child_that_says_nothing_is_killed_at_the_deadline),
        cmocka_unit_test(nobody_of_its_group_is_left),
        cmocka_unit_test(a_number_that_may_be_anothers_is_not_signalled),
        cmocka_unit_test(it_inherits_no_descriptor),
        cmocka_unit_test(a_flood_is_cut_off),
        cmocka_unit_test(what_cannot_be_run_is_a_system_error),
        cmocka_unit_test(no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
