// SPDX-License-Identifier: MIT
// What a worker's memory is, asked of real processes.

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/worker.h"

#define MIB ((size_t)1 << 20)

static void use(size_t size, int flags)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        _exit(1);
    }
    memset(memory, 1, size);
}

// What a sanitizer keeps beside shared memory is not shared.
static bool is_sanitized(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
    return true;
#endif
#endif
    return false;
}

#define GROUPS 4000

static bool wants_groups; // of a child that is started
static bool is_in_groups; // of the one that was started last

static bool join_groups(void)
{
    static gid_t groups[GROUPS];
    for (gid_t i = 0; i < GROUPS; i++) {
        groups[i] = 100000 + i;
    }
    return setgroups(GROUPS, groups) == 0;
}

// A child that uses so much memory, and waits. It does not outlive the test.
static struct sp_child start(size_t own, size_t shared)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    struct sp_child child = {.pid = fork()};
    if (child.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        is_in_groups = wants_groups && join_groups();
        use(own, MAP_PRIVATE);
        use(shared, MAP_SHARED);
        if (write(ready[1], &is_in_groups, 1) != 1) {
            _exit(1);
        }
        (void)pause();
    }
    assert_int_equal(read(ready[0], &is_in_groups, 1), 1);
    close(ready[0]);
    close(ready[1]);
    child.pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
    assert_true(child.pidfd >= 0);
    return child;
}

static uint64_t memory_of(struct sp_child child)
{
    static struct sp_worker worker;
    worker.child.process.pid = child.pid;
    worker.child.process.pidfd = child.pidfd;
    return sp_worker_memory(&worker);
}

static void end(struct sp_child child)
{
    kill(child.pid, SIGKILL);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    assert_int_equal(memory_of(child), 0);
    close(child.pidfd);
}

static void what_is_shared_does_not_count(void **state)
{
    (void)state;
    if (is_sanitized()) {
        skip();
    }
    struct sp_child small = start(MIB, MIB);
    struct sp_child large = start(33 * MIB, 65 * MIB);
    uint64_t difference = memory_of(large) - memory_of(small);
    assert_true(memory_of(small) > MIB);
    assert_true(difference > 30 * MIB && difference < 36 * MIB);
    end(small);
    end(large);
}

// They stand before its memory in /proc.
static void a_user_in_thousands_of_groups_has_memory_too(void **state)
{
    (void)state;
    wants_groups = true;
    struct sp_child child = start(4 * MIB, MIB);
    wants_groups = false;
    uint64_t memory = memory_of(child);
    end(child);
    if (!is_in_groups) {
        skip(); // that takes an administrator
    }
    assert_true(memory > 4 * MIB);
}

static uint64_t share_of(struct sp_child child)
{
    static struct sp_worker worker;
    worker.child.process.pid = child.pid;
    worker.child.process.pidfd = child.pidfd;
    return sp_worker_share(&worker);
}

static void what_siblings_share_counts_in_part(void **state)
{
    (void)state;
    if (is_sanitized()) {
        skip();
    }
    void *common = mmap(
        NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(common, MAP_FAILED);
    memset(common, 1, 64 * MIB);
    struct sp_child one = start(MIB, MIB);
    struct sp_child other = start(MIB, MIB);
    assert_true(memory_of(one) > 64 * MIB);
    // Three have it: this process as well.
    assert_true(share_of(one) > 16 * MIB && share_of(one) < 32 * MIB);
    end(one);
    end(other);
    munmap(common, 64 * MIB);
}

static void time_counts_that_was_computed(void **state)
{
    (void)state;
    static struct sp_worker worker;
    struct sp_child child = start(MIB, MIB);
    worker.child.process.pid = child.pid;
    worker.child.process.pidfd = child.pidfd;
    uint64_t first = sp_worker_cpu(&worker);
    assert_true(first > 0);
    assert_true(sp_worker_cpu(&worker) >= first);
    end(child);
    assert_int_equal(sp_worker_cpu(&worker), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shared_does_not_count),
        cmocka_unit_test(a_user_in_thousands_of_groups_has_memory_too),
        cmocka_unit_test(what_siblings_share_counts_in_part),
        cmocka_unit_test(time_counts_that_was_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
