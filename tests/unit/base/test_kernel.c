// SPDX-License-Identifier: MIT
#include "base/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cmocka.h>

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

static void to_ask_changes_nothing(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    for (int feature = 0; feature < SP_KERNEL_FEATURES; feature++) {
        const struct sp_kernel_row *row =
            sp_kernel_row((enum sp_kernel_feature)feature);
        assert_true(strlen(row->name) > 0 && strlen(row->since) > 0 &&
                    strlen(row->without) > 0);
        bool has = sp_kernel_has((enum sp_kernel_feature)feature);
        assert_int_equal(sp_kernel_has((enum sp_kernel_feature)feature), has);
    }
    assert_int_equal(open_descriptors(), before);
}

static void what_snakepit_cannot_do_without_is_here(void **state)
{
    (void)state;
    assert_true(sp_kernel_has(SP_KERNEL_PIDFD));
    assert_true(sp_kernel_has(SP_KERNEL_MEMFD));
}

// From now on these calls say EPERM, as in a container that forbids them.
static bool forbid(void)
{
    static const uint32_t calls[] = {
        SYS_pidfd_open, SYS_memfd_create, SYS_futex_waitv, SYS_landlock_create_ruleset};
    struct sock_filter steps[16];
    unsigned short count = 0;
    steps[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                  offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        steps[count++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
        steps[count++] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1);
    }
    steps[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog filter = {.len = count, .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What a filter refuses is not there, whatever the version of the kernel.
static void what_a_filter_forbids_is_not_there(void **state)
{
    (void)state;
    if (!sp_kernel_has(SP_KERNEL_SECCOMP)) {
        skip();
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool any = !forbid() || sp_kernel_has(SP_KERNEL_PIDFD) ||
                   sp_kernel_has(SP_KERNEL_MEMFD) ||
                   sp_kernel_has(SP_KERNEL_FUTEX_WAITV) ||
                   sp_kernel_has(SP_KERNEL_LANDLOCK);
        _exit(any);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_ask_changes_nothing),
        cmocka_unit_test(what_snakepit_cannot_do_without_is_here),
        cmocka_unit_test(what_a_filter_forbids_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
