// SPDX-License-Identifier: MIT
#include "base/descriptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fork.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

// Runs it in a child of fork() and gives the child's verdict.
static bool holds_in_child(bool (*what)(int), int fd)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(what(fd) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_above_without_streams(int fd)
{
    (void)fd;
    (void)close(0);
    (void)close(1);
    (void)close(2);
    int pair[2];
    int bell = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC));
    bool good = bell > 2 && (fcntl(bell, F_GETFD) & FD_CLOEXEC) != 0;
    good = good && pipe2(pair, O_CLOEXEC) == 0 && sp_descriptor_keep_pair(pair) &&
           pair[0] > 2 && pair[1] > 2;
    // The places of the standard streams are left to the program.
    return good && !is_open(0) && !is_open(1) && !is_open(2);
}

static void no_number_is_that_of_a_standard_stream(void **state)
{
    (void)state;
    assert_true(holds_in_child(is_above_without_streams, -1));
}

static void what_was_not_made_is_not_kept(void **state)
{
    (void)state;
    errno = ENFILE;
    assert_int_equal(sp_descriptor_keep(-1), -1);
    assert_int_equal(errno, ENFILE);
    int none = -1;
    sp_descriptor_close(&none);
}

static bool is_told_as_a_lack(int fd)
{
    const struct rlimit few = {20, 20};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) {
        return false;
    }
    int copy = sp_descriptor_copy_above(fd, 32);
    bool is_lack = copy == -1 && errno == EMFILE;
    copy = sp_descriptor_keep_above(dup(fd), 32);
    return is_lack && copy == -1 && errno == EMFILE;
}

static void a_number_beyond_the_limit_is_a_lack_of_descriptors(void **state)
{
    (void)state;
    int fd = eventfd(0, EFD_CLOEXEC);
    assert_true(holds_in_child(is_told_as_a_lack, fd));
    int copy = sp_descriptor_copy_above(fd, 32);
    assert_true(copy >= 32 && is_open(fd));
    sp_descriptor_close(&copy);
    assert_int_equal(sp_descriptor_copy_above(-1, 32), -1);
    assert_int_equal(errno, EBADF);
    (void)close(fd);
}

static bool is_closed(int fd)
{
    return !is_open(fd);
}

static void a_forked_child_does_not_have_it(void **state)
{
    (void)state;
    assert_int_not_equal(sp_fork_here(), 0);
    int kept = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC));
    int of_program = eventfd(0, EFD_CLOEXEC);
    assert_true(holds_in_child(is_closed, kept));
    assert_true(holds_in_child(is_open, of_program));
    assert_true(is_open(kept));
    sp_descriptor_close(&kept);
    (void)close(of_program);
}

static void a_number_that_was_given_back_is_the_programs(void **state)
{
    (void)state;
    int kept = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC));
    int number = kept;
    sp_descriptor_close(&kept);
    int of_program = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(of_program, number);
    assert_true(holds_in_child(is_open, of_program));
    (void)close(of_program);
}

// ---- Which process ------------------------------------------------------------

static bool is_elsewhere(int process)
{
    // A child's number is its own, and known to be so once it has asked for it.
    return !sp_fork_is_here((uint32_t)process) && sp_fork_here() != (uint32_t)process &&
           sp_fork_is_here(sp_fork_here()) && !sp_fork_is_here((uint32_t)process);
}

static bool is_elsewhere_in_grandchild(int process)
{
    (void)sp_fork_here();
    return holds_in_child(is_elsewhere, process) &&
           holds_in_child(is_elsewhere, (int)sp_fork_here());
}

static void a_child_is_another_process(void **state)
{
    (void)state;
    uint32_t here = sp_fork_here();
    assert_int_equal(sp_fork_here(), here);
    assert_true(sp_fork_is_here(here));
    assert_true(holds_in_child(is_elsewhere, (int)here));
    assert_true(holds_in_child(is_elsewhere_in_grandchild, (int)here));
    assert_true(sp_fork_is_here(here));
}

// No handler of fork() runs there.
static void a_child_of_a_bare_clone_is_another_process(void **state)
{
    (void)state;
    uint32_t here = sp_fork_here();
    int status = -1;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
    if (child == 0) {
        _exit(is_elsewhere((int)here) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_number_is_that_of_a_standard_stream),
        cmocka_unit_test(what_was_not_made_is_not_kept),
        cmocka_unit_test(a_number_beyond_the_limit_is_a_lack_of_descriptors),
        cmocka_unit_test(a_forked_child_does_not_have_it),
        cmocka_unit_test(a_number_that_was_given_back_is_the_programs),
        cmocka_unit_test(a_child_is_another_process),
        cmocka_unit_test(a_child_of_a_bare_clone_is_another_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
