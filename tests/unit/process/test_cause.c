// SPDX-License-Identifier: MIT
// Children that end in each way there is.
#include "process/cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ipc/segment.h"

static struct sp_child child_of(pid_t pid)
{
    struct sp_child child = {pid, (int)syscall(SYS_pidfd_open, pid, 0)};
    assert_true(pid > 0);
    assert_true(child.pidfd >= 0);
    return child;
}

// A child that exits with `code`, or kills itself with `signal`.
static struct sp_child spawn(int code, int signal)
{
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        if (signal != 0) {
            struct sigaction action = {.sa_handler = SIG_DFL};
            (void)sigaction(signal, &action, NULL);
            (void)kill(getpid(), signal);
        }
        _exit(code);
    }
    return child_of(pid);
}

static struct sp_exit await_exit(struct sp_child child)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    return sp_exit_peek(child);
}

static void exit_codes_are_told_and_reaped_once(void **state)
{
    (void)state;
    const int codes[] = {0, 1, 3, 127, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct sp_child child = spawn(codes[i], 0);
        struct sp_exit end = await_exit(child);
        assert_true(end.known);
        assert_int_equal(end.code, codes[i]);
        assert_int_equal(end.signal, 0);
        end = sp_exit_reap(child);
        assert_true(end.known);
        assert_int_equal(end.code, codes[i]);
        assert_false(sp_exit_reap(child).known);
        (void)close(child.pidfd);
    }
}

static void signals_are_told(void **state)
{
    (void)state;
    const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sp_child child = spawn(0, signals[i]);
        struct sp_exit end = await_exit(child);
        assert_true(end.known);
        assert_int_equal(end.signal, signals[i]);
        end = sp_exit_reap(child);
        assert_int_equal(end.signal, signals[i]);
        assert_int_equal(end.code, 0);
        (void)close(child.pidfd);
    }
}

static void a_living_child_has_no_exit(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    struct sp_child child = child_of(pid);
    assert_false(sp_exit_peek(child).known);
    assert_false(sp_exit_reap(child).known);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(await_exit(child).signal, SIGKILL);
    assert_true(sp_exit_reap(child).known);
    (void)close(child.pidfd);
}

static void *stay(void *unused)
{
    for (;;) {
        (void)pause();
    }
    return unused;
}

static bool first_thread_has_ended(pid_t pid)
{
    char path[64];
    char line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    return strstr(line, ") Z ") != NULL;
}

static void kill_and_reap(struct sp_child child)
{
    assert_int_equal(sp_pidfd_signal(child, SIGKILL), 0);
    assert_int_equal(await_exit(child).signal, SIGKILL);
    assert_true(sp_exit_reap(child).known);
    (void)close(child.pidfd);
}

// So it is for a moment when another thread calls exec, too.
static void a_child_whose_first_thread_has_ended_alone_has_no_exit(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        (void)pthread_create(&thread, NULL, stay, NULL);
        (void)syscall(SYS_exit, 0);
    }
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (!first_thread_has_ended(pid)) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    struct sp_child child = child_of(pid);
    assert_false(sp_exit_peek(child).known);
    kill_and_reap(child);
}

static void a_child_that_called_exec_is_seen_to_be_replaced(void **state)
{
    (void)state;
    int mapped[2];
    int gate[2];
    char byte = 0;
    assert_int_equal(pipe(mapped), 0);
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sp_segment ours; // as a worker has some, for a host's are not inherited
        (void)sp_segment_create(&ours, SP_SEGMENT_NAMES "test", 4096, true, NULL);
        (void)!write(mapped[1], &byte, 1);
        (void)!read(gate[0], &byte, 1);
        (void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(1);
    }
    assert_int_equal(read(mapped[0], &byte, 1), 1);
    struct sp_child child = child_of(pid);
    assert_false(sp_exit_is_replaced(child));
    assert_int_equal(write(gate[1], &byte, 1), 1);
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (!sp_exit_is_replaced(child)) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    kill_and_reap(child);
    assert_false(sp_exit_is_replaced(child));
    close(mapped[0]);
    close(mapped[1]);
    close(gate[0]);
    close(gate[1]);
}

// Looked at while they die: whatever is known early is true.
static void what_is_told_early_is_what_happened(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct sp_child child = spawn(7, i % 2 == 0 ? SIGKILL : 0);
        struct sp_exit end;
        uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
        do {
            end = sp_exit_peek(child);
            assert_true(sp_clock_now() < until);
        } while (!end.known);
        int status = 0;
        assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
        (void)close(child.pidfd);
        assert_int_equal(end.signal, i % 2 == 0 ? SIGKILL : 0);
        assert_int_equal(end.code, i % 2 == 0 ? 0 : 7);
    }
}

static void a_stranger_has_no_exit(void **state)
{
    (void)state;
    struct sp_child child = child_of(getppid());
    assert_false(sp_exit_peek(child).known);
    assert_true(sp_exit_peek(child).gone);
    assert_false(sp_exit_reap(child).known);
    (void)close(child.pidfd);
}

// The exit code that /proc shows of it is 0, for that is hidden.
static void what_is_hidden_is_not_known(void **state)
{
    (void)state;
    if (getuid() != 0) {
        skip(); // only root can make a process that it cannot look into
    }
    pid_t looker = fork();
    if (looker == 0) {
        assert_int_equal(setgid(65534), 0);
        assert_int_equal(setuid(65534), 0);
        for (int i = 0; i < 5; i++) {
            pid_t pid = fork();
            if (pid == 0) {
                size_t size = (size_t)64 << 20; // takes a while to give back
                char *memory = malloc(size);
                (void)prctl(PR_SET_DUMPABLE, 0);
                for (size_t at = 0; memory != NULL && at < size; at += 4096) {
                    memory[at] = 1;
                }
                const struct rlimit none = {0, 0};
                (void)setrlimit(RLIMIT_CORE, &none);
                (void)signal(SIGSEGV, SIG_DFL);
                (void)kill(getpid(), SIGSEGV);
            }
            struct sp_child child = {pid, (int)syscall(SYS_pidfd_open, pid, 0)};
            struct sp_exit end;
            do {
                end = sp_exit_peek(child);
            } while (!end.known);
            if (end.signal != SIGSEGV) {
                _exit(1);
            }
            (void)sp_exit_reap(child);
            (void)close(child.pidfd);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(looker, &status, 0), looker);
    assert_int_equal(status, 0);
}

static void one_that_the_kernel_has_reaped_is_gone(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    struct sp_child child = child_of(pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    struct pollfd entry = {.fd = child.pidfd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 10000), 1);
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (!sp_exit_peek(child).gone) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
    struct sp_exit end = sp_exit_peek(child);
    // A kernel that remembers tells the truth, and none tells a 0.
    assert_true(sp_exit_code_told(&end) == (uint64_t)SP_UNTOLD);
    assert_true(sp_exit_signal_told(&end) ==
                (end.known ? SIGKILL : (uint64_t)SP_UNTOLD));
    (void)close(child.pidfd);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static void ends_are_sentences(void **state)
{
    (void)state;
    char room[256];
    const struct {
        struct sp_exit end;
        const char *because;
        enum sp_oom memory;
        const char *text;
    } rows[] = {
        {{.known = 1, .code = 3}, NULL, SP_OOM_NO, "exited with status 3"},
        {{.known = 1, .served = 1},
         NULL,
         SP_OOM_NO,
         "exited with status 0: the adapter, a tool or a library has ended the process "
         "(os._exit(), or exit() in C) instead of returning or raising"},
        {{.known = 1, .signal = 9, .fault = SP_FAULT_CHANNEL},
         NULL,
         SP_OOM_YES,
         "ended: its adapter or a tool has shut down the worker's connection to the "
         "host (shutdown()); shut down only sockets that it has opened"},
        {{.known = 1, .signal = 9}, NULL, SP_OOM_NO, "killed by signal 9 (SIGKILL)"},
        {{.known = 1, .signal = 11}, NULL, SP_OOM_NO, "killed by signal 11 (SIGSEGV)"},
        {{.known = 1, .signal = 11}, NULL, SP_OOM_YES, "killed by signal 11 (SIGSEGV)"},
        {{.known = 1, .signal = 9},
         NULL,
         SP_OOM_YES,
         "killed by the kernel: out of memory"},
        {{.known = 1, .signal = 9},
         NULL,
         SP_OOM_POSSIBLE,
         "killed by signal 9 (SIGKILL); possibly out of memory"},
        {{.known = 1, .signal = 9},
         "it was slow",
         SP_OOM_YES,
         "killed by us because it was slow"},
        {{.known = 0}, NULL, SP_OOM_NO, "died; the kernel has not said how"},
        {{.known = 1, .signal = 63}, NULL, SP_OOM_NO, "killed by signal 63 (SIG?)"},
        {{.known = 1, .signal = SIGSEGV, .fault = SP_FAULT_ARGUMENT},
         NULL,
         SP_OOM_NO,
         "killed by signal 11 (SIGSEGV): it wrote to a read-only tensor argument; copy "
         "the argument before, or set the pool's tensors: copy"},
        {{.known = 1, .signal = SIGSEGV},
         NULL,
         SP_OOM_NO,
         "killed by signal 11 (SIGSEGV)"},
        {{.known = 1, .signal = SIGABRT, .fault = SP_FAULT_ARGUMENT},
         NULL,
         SP_OOM_NO,
         "killed by signal 6 (SIGABRT)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sp_exit_describe(
            &rows[i].end, rows[i].because, rows[i].memory, room, sizeof room);
        assert_string_equal(room, rows[i].text);
    }
    sp_exit_describe(&rows[0].end, NULL, 0, room, 7);
    assert_string_equal(room, "exited");
}

static void who_was_told_by_sigterm_has_ended_by_it(void **state)
{
    (void)state;
    char room[256];
    struct sp_exit end = {.known = 1, .signal = SIGTERM, .fault = SP_FAULT_TOLD};
    sp_exit_describe(&end, NULL, SP_OOM_NO, room, sizeof room);
    assert_string_equal(room, "ended by SIGTERM, which came from outside");
    end.signal = SIGSEGV;
    sp_exit_describe(&end, NULL, SP_OOM_NO, room, sizeof room);
    assert_string_equal(room, "killed by signal 11 (SIGSEGV)");
    end = (struct sp_exit){.known = 1, .signal = SIGTERM};
    sp_exit_describe(&end, NULL, SP_OOM_NO, room, sizeof room);
    assert_string_equal(room, "killed by signal 15 (SIGTERM)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_are_told_and_reaped_once),
        cmocka_unit_test(signals_are_told),
        cmocka_unit_test(a_living_child_has_no_exit),
        cmocka_unit_test(a_child_whose_first_thread_has_ended_alone_has_no_exit),
        cmocka_unit_test(a_child_that_called_exec_is_seen_to_be_replaced),
        cmocka_unit_test(what_is_told_early_is_what_happened),
        cmocka_unit_test(a_stranger_has_no_exit),
        cmocka_unit_test(what_is_hidden_is_not_known),
        cmocka_unit_test(one_that_the_kernel_has_reaped_is_gone),
        cmocka_unit_test(ends_are_sentences),
        cmocka_unit_test(who_was_told_by_sigterm_has_ended_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
