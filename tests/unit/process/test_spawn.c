// SPDX-License-Identifier: MIT
// A shell script stands in for Python: it tells what it was given.
#include "process/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "interpreter/interpreter.h"
#include "ipc/layout.h"
#include "ipc/segment.h"

struct scene {
    char script[64];
    struct sp_segment segment;
    int read_only;
    int doorbell;
    int unrelated; // open in the host, without close-on-exec
    struct sp_process process;
    struct sp_spawn_options options;
    char output[4096];
};

static char one[] = "ONE=1";
static char path[] = "PATH=/usr/bin:/bin";
static char *const environment[] = {one, path, NULL};

static int prepare(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    assert_int_equal(sp_segment_create(&scene->segment, "test", 4096, true, NULL),
                     SNAKEPIT_OK);
    assert_int_equal(sp_segment_read_only_fd(&scene->segment, &scene->read_only, NULL),
                     SNAKEPIT_OK);
    scene->doorbell = eventfd(0, EFD_CLOEXEC);
    scene->unrelated = open("/dev/zero", O_RDONLY);
    scene->process = (struct sp_process){-1, -1, -1, -1, -1};
    scene->options = (struct sp_spawn_options){
        .python = scene->script,
        .environment = environment,
        .control = scene->segment.fd,
        .requests = scene->read_only,
        .results = scene->segment.fd,
        .doorbell = scene->doorbell,
    };
    *state = scene;
    return 0;
}

static int clear(void **state)
{
    struct scene *scene = *state;
    const int fds[] = {scene->read_only,
                       scene->doorbell,
                       scene->unrelated,
                       scene->process.pidfd,
                       scene->process.channel,
                       scene->process.output,
                       scene->process.errors};
    if (scene->process.pid > 0) {
        (void)kill(-scene->process.pid, SIGKILL);
        (void)waitpid(scene->process.pid, NULL, 0);
    }
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    (void)unlink(scene->script);
    sp_segment_fini(&scene->segment);
    free(scene);
    return 0;
}

static void write_script(struct scene *scene, const char *text)
{
    strcpy(scene->script, "/tmp/snakepit-spawn-XXXXXX");
    int fd = mkostemp(scene->script, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0700), 0);
    (void)close(fd);
}

static void wait_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 10000), 1);
}

// Keeps what it writes to stdout until it ends.
static void read_output(struct scene *scene)
{
    size_t size = 0;
    for (;;) {
        wait_readable(scene->process.output);
        ssize_t got = read(scene->process.output,
                           scene->output + size,
                           sizeof scene->output - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    scene->output[size] = 0;
}

// Runs the script to its end and keeps what it wrote to stdout.
static void run(struct scene *scene, const char *text)
{
    write_script(scene, text);
    assert_int_equal(sp_spawn(&scene->options, &scene->process), SNAKEPIT_OK);
    read_output(scene);
}

static void only_descriptors_0_to_7_are_open_in_the_child(void **state)
{
    struct scene *scene = *state;
    // A glob opens the folder it reads, so each number is tried instead.
    run(scene,
        "#!/bin/sh\n"
        "i=0; while [ $i -lt 200 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); "
        "done\n");
    // The shell keeps the script open, at 10 or above.
    char *shell = strstr(scene->output, "\n10\n");
    if (shell != NULL) {
        shell[1] = 0;
    }
    assert_string_equal(scene->output, "0\n1\n2\n3\n4\n5\n6\n7\n");
}

static void each_descriptor_is_what_the_layout_says(void **state)
{
    struct scene *scene = *state;
    run(scene,
        "#!/bin/sh\n"
        "for i in 0 1 2 3 4 5 6 7; do readlink /proc/$$/fd/$i | sed "
        "'s/[0-9][0-9]*//g'; done\n"
        "sed -n 's/^flags:.*\\(.\\)$/\\1/p' /proc/$$/fdinfo/4\n");
    assert_string_equal(scene->output,
                        "/dev/null\npipe:[]\npipe:[]\n/memfd:test (deleted)\n"
                        "/memfd:test (deleted)\n/memfd:test (deleted)\nsocket:[]\n"
                        "anon_inode:[eventfd]\n0\n");
}

static void it_is_asked_to_be_a_worker_in_the_given_environment(void **state)
{
    struct scene *scene = *state;
    run(scene, "#!/bin/sh\necho \"$@\" $ONE $HOME\n");
    assert_string_equal(scene->output, "-c " SP_PYTHON_BRIDGE("worker", "main") " 1\n");
}

static void a_template_gets_its_channel_and_the_places_of_its_workers(void **state)
{
    struct scene *scene = *state;
    write_script(scene,
                 "#!/bin/sh\necho \"$@\"\n"
                 "for i in 0 1 2 3 4 5 6 7; do readlink /proc/$$/fd/$i | sed "
                 "'s/[0-9][0-9]*//g'; done\n");
    assert_int_equal(sp_spawn_template(&scene->options, &scene->process), SNAKEPIT_OK);
    read_output(scene);
    assert_string_equal(
        scene->output,
        "-c " SP_PYTHON_BRIDGE(
            "template",
            "main") "\n"
                    "/dev/null\npipe:[]\npipe:[]\nsocket:[]\n/dev/null\n/dev/null\n"
                    "/dev/null\n/dev/null\n");
}

static void what_cannot_be_watched_is_killed_and_reaped(void **state)
{
    struct scene *scene = *state;
    struct rlimit before;
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    snakepit_err err = sp_process_adopt(&scene->process, pid, NULL);
    int reason = errno;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, SNAKEPIT_SYSTEM);
    assert_int_equal(reason, EMFILE);
    assert_int_equal(scene->process.pid, -1);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void it_leads_a_process_group_of_its_own(void **state)
{
    struct scene *scene = *state;
    run(scene, "#!/bin/sh\nread -r line </proc/$$/stat\nset -- $line\necho $5\n");
    assert_int_equal(atoi(scene->output), scene->process.pid);
    assert_int_not_equal(getpgrp(), scene->process.pid);
}

static void it_has_default_signals_and_none_blocked(void **state)
{
    struct scene *scene = *state;
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    assert_int_equal(sigprocmask(SIG_SETMASK, &blocked, &before), 0);
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    // Without another process: a shell blocks signals while it makes one.
    run(scene,
        "#!/bin/sh\n"
        "while read -r line; do\n"
        "  case $line in SigBlk*|SigIgn*) echo \"$line\";; esac\n"
        "done </proc/$$/status\n");
    (void)signal(SIGPIPE, old);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    unsigned long blocked_there = 1;
    unsigned long ignored = 1;
    assert_int_equal(
        sscanf(scene->output, "SigBlk:%lx SigIgn:%lx", &blocked_there, &ignored), 2);
    assert_int_equal(blocked_there, 0);
    // But for the two that are the C library's own, which posix_spawn() leaves ignored.
    assert_int_equal(ignored & ~(3ul << 31), 0);
}

static void our_ends_are_ours_alone_and_do_not_wait(void **state)
{
    struct scene *scene = *state;
    run(scene, "#!/bin/sh\nexit 0\n");
    const int ours[] = {
        scene->process.channel, scene->process.output, scene->process.errors};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fcntl(ours[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(ours[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    // No copy of the child's ends is left here: all of them have ended.
    char byte;
    wait_readable(scene->process.channel);
    assert_int_equal(recv(scene->process.channel, &byte, 1, 0), 0);
    wait_readable(scene->process.errors);
    assert_int_equal(read(scene->process.errors, &byte, 1), 0);
    wait_readable(scene->process.pidfd);
}

static uint32_t open_descriptors(void)
{
    uint32_t count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void assert_fails(struct scene *scene, int expected)
{
    uint32_t before = open_descriptors();
    errno = 0;
    assert_int_equal(sp_spawn(&scene->options, &scene->process), SNAKEPIT_SYSTEM);
    assert_int_equal(errno, expected);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(scene->process.pid, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void what_cannot_be_executed_is_an_error_and_leaves_nothing(void **state)
{
    struct scene *scene = *state;
    strcpy(scene->script, "/nonexistent/python");
    assert_fails(scene, ENOENT);
    write_script(scene, "no program\n");
    assert_int_equal(chmod(scene->script, 0600), 0);
    assert_fails(scene, EACCES);
    scene->options.python = "/tmp";
    assert_fails(scene, EACCES);
}

static void without_descriptors_it_is_an_error_and_leaves_nothing(void **state)
{
    struct scene *scene = *state;
    struct rlimit before;
    write_script(scene, "#!/bin/sh\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    // Each number lets the spawn get a little further before it fails.
    for (rlim_t most = 3; most < 40; most++) {
        const struct rlimit few = {most, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        snakepit_err err = sp_spawn(&scene->options, &scene->process);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (err == SNAKEPIT_OK) {
            return;
        }
        assert_int_equal(err, SNAKEPIT_SYSTEM);
    }
    assert_true(open_descriptors() < 16);
}

static void a_host_that_has_closed_its_standard_streams_can_spawn(void **state)
{
    struct scene *scene = *state;
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        (void)close(i);
    }
    write_script(scene, "#!/bin/sh\necho out\necho err >&2\n");
    snakepit_err err = sp_spawn(&scene->options, &scene->process);
    int low = scene->process.output;
    char room[8] = {0};
    ssize_t got = -1;
    if (err == SNAKEPIT_OK) {
        struct pollfd entry = {.fd = low, .events = POLLIN};
        (void)poll(&entry, 1, 10000);
        got = read(low, room, 7);
    }
    // Ours may have taken their numbers.
    int *ours[] = {&scene->process.channel,
                   &scene->process.output,
                   &scene->process.errors,
                   &scene->process.pidfd};
    for (int i = 0; i < 4; i++) {
        if (*ours[i] >= 0 && *ours[i] < 3) {
            int moved = fcntl(*ours[i], F_DUPFD_CLOEXEC, 10);
            *ours[i] = moved;
        }
    }
    for (int i = 0; i < 3; i++) {
        (void)dup2(kept[i], i);
        (void)close(kept[i]);
    }
    assert_int_equal(err, SNAKEPIT_OK);
    assert_int_equal(got, 4);
    assert_string_equal(room, "out\n");
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(only_descriptors_0_to_7_are_open_in_the_child),
        test(each_descriptor_is_what_the_layout_says),
        test(it_is_asked_to_be_a_worker_in_the_given_environment),
        test(a_template_gets_its_channel_and_the_places_of_its_workers),
        test(what_cannot_be_watched_is_killed_and_reaped),
        test(it_leads_a_process_group_of_its_own),
        test(it_has_default_signals_and_none_blocked),
        test(our_ends_are_ours_alone_and_do_not_wait),
        test(what_cannot_be_executed_is_an_error_and_leaves_nothing),
        test(without_descriptors_it_is_an_error_and_leaves_nothing),
        test(a_host_that_has_closed_its_standard_streams_can_spawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
