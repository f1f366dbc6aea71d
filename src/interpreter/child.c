// SPDX-License-Identifier: MIT
// One child process, from spawn to wait. Its reply comes through a pipe of its own,
// because a sitecustomize or a version manager's shim may print anything. Whatever else
// is in its group when it has answered is killed: a shim may have left a helper behind.
#include "interpreter/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/pidfd.h"
#include "base/system.h"
#include "base/timeslice.h"

#define FIRST_FD 10 // our ends stay above the numbers that the child gives to its own

// The two pipes of a child. -1: closed.
struct pipes {
    int reply[2];
    int words[2];
};

static void close_pipes(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        sp_descriptor_close(&pipes->reply[i]);
        sp_descriptor_close(&pipes->words[i]);
    }
}

static bool open_pipe(int ends[2])
{
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0) {
        return false;
    }
    ends[0] = sp_descriptor_keep_above(made[0], FIRST_FD);
    int reason = errno;
    ends[1] = sp_descriptor_keep_above(made[1], FIRST_FD);
    errno = ends[0] < 0 ? reason : errno;
    return ends[0] >= 0 && ends[1] >= 0;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct pipes *pipes)
{
    int err = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    err =
        err != 0 ? err : posix_spawn_file_actions_adddup2(actions, pipes->words[1], 1);
    err =
        err != 0 ? err : posix_spawn_file_actions_adddup2(actions, pipes->words[1], 2);
    err = err != 0 ? err
                   : posix_spawn_file_actions_adddup2(
                         actions, pipes->reply[1], SP_CHILD_REPLY_FD);
    return err != 0 ? err
                    : posix_spawn_file_actions_addclosefrom_np(actions,
                                                               SP_CHILD_REPLY_FD + 1);
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int err = posix_spawnattr_setflags(attributes,
                                       POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                           POSIX_SPAWN_SETSIGDEF);
    err = err != 0 ? err : posix_spawnattr_setpgroup(attributes, 0);
    err = err != 0 ? err : posix_spawnattr_setsigmask(attributes, &none);
    return err != 0 ? err : posix_spawnattr_setsigdefault(attributes, &all);
}

// 0 or an errno.
static int spawn_with(char *const argv[],
                      char *const environment[],
                      const struct pipes *pipes,
                      posix_spawnattr_t *attributes,
                      pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);
    if (err != 0) {
        return err;
    }
    err = add_actions(&actions, pipes);
    err = err != 0 ? err
                   : posix_spawn(pid, argv[0], &actions, attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

static int spawn(char *const argv[],
                 char *const environment[],
                 const struct pipes *pipes,
                 pid_t *pid)
{
    posix_spawnattr_t attributes;
    int err = posix_spawnattr_init(&attributes);
    if (err != 0) {
        return err;
    }
    err = set_attributes(&attributes);
    err = err != 0 ? err : spawn_with(argv, environment, pipes, &attributes, pid);
    posix_spawnattr_destroy(&attributes);
    return err;
}

// One line, or the next part of one whose end had not come yet.
static void keep_line(struct sp_child_result *result, const char *line, size_t size)
{
    static const char reason[] = "Fatal Python error";
    size_t kept = result->is_line_open ? strlen(result->last_words) : 0;
    if (!result->is_line_open &&
        strncmp(result->last_words, reason, sizeof reason - 1) == 0) {
        return; // what follows says where it stood
    }
    (void)snprintf(result->last_words + kept,
                   sizeof(result->last_words) - kept,
                   "%.*s",
                   (int)size,
                   line);
    result->is_line_open = true;
}

// Keeps the end of what was printed: the last line that is not empty, but for a Python
// that cannot begin, which says why before.
static void keep_words(struct sp_child_result *result, const char *chunk)
{
    while (*chunk != '\0') {
        size_t size = strcspn(chunk, "\r\n");
        if (size > 0) {
            keep_line(result, chunk, size);
        }
        chunk += size;
        if (*chunk != '\0') {
            result->is_line_open = false;
            chunk++;
        }
    }
}

// Reads once; closes the end when there is no more. NO_MEMORY.
static snakepit_err read_end(int *fd, bool is_reply, struct sp_child_result *result)
{
    char chunk[4096];
    ssize_t got = read(*fd, chunk, sizeof(chunk) - 1);
    if (got < 0 && errno == EINTR) {
        return SNAKEPIT_OK;
    }
    if (got <= 0 || result->reply.size > SP_CHILD_REPLY_MAX) {
        sp_descriptor_close(fd);
        return SNAKEPIT_OK;
    }
    chunk[got] = '\0';
    if (is_reply) {
        return sp_buf_append(&result->reply, chunk, (size_t)got);
    }
    keep_words(result, chunk);
    return SNAKEPIT_OK;
}

static int remaining_ms(uint64_t deadline)
{
    uint64_t now = sp_clock_now();
    uint64_t left = now < deadline ? (deadline - now) / SP_NS_PER_MS + 1 : 0;
    return left > 60000 ? 60000 : (int)left;
}

// Hears the child until its reply ends.
static snakepit_err hear(struct pipes *pipes,
                         uint64_t deadline,
                         struct sp_child_result *result,
                         snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && pipes->reply[0] >= 0) {
        struct pollfd ends[2] = {{.fd = pipes->reply[0], .events = POLLIN},
                                 {.fd = pipes->words[0], .events = POLLIN}};
        int ready = poll(ends, 2, remaining_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return sp_system_failed(why, "poll", NULL, "for what it says");
        }
        if (ready == 0 && remaining_ms(deadline) == 0) {
            return SNAKEPIT_DEADLINE_EXCEEDED;
        }
        if (ready > 0 && ends[1].revents != 0) {
            err = read_end(&pipes->words[0], false, result);
        }
        if (ready > 0 && ends[0].revents != 0 && err == SNAKEPIT_OK) {
            err = read_end(&pipes->reply[0], true, result);
        }
    }
    return err;
}

// What was printed before the end of the reply and not yet read.
static void hear_rest(struct pipes *pipes, struct sp_child_result *result)
{
    struct pollfd end = {.fd = pipes->words[0], .events = POLLIN};
    for (int i = 0; i < 64 && pipes->words[0] >= 0 && poll(&end, 1, 0) > 0; i++) {
        read_end(&pipes->words[0], false, result);
    }
}

// Until the child has exited, at the latest at the deadline.
static snakepit_err await_exit(struct sp_child child, uint64_t deadline)
{
    struct pollfd process = {.fd = child.pidfd, .events = POLLIN};
    if (process.fd < 0) {
        // An old kernel or a seccomp filter. The reply is there; only the status is
        // lost, because the child is now killed instead.
        return SNAKEPIT_OK;
    }
    int ready = 0;
    while (ready <= 0 && remaining_ms(deadline) != 0) {
        ready = poll(&process, 1, remaining_ms(deadline));
    }
    return ready > 0 ? SNAKEPIT_OK : SNAKEPIT_DEADLINE_EXCEEDED;
}

static void kill_group(struct sp_child child)
{
    if (child.pidfd >= 0) {
        (void)sp_pidfd_signal_group(child, SIGKILL);
    } else if (sp_pid_is_ours(child.pid)) {
        (void)kill(-child.pid, SIGKILL);
    }
}

// Its wait(2) status; -1: it cannot be known, for a host may reap children that are not
// its own.
static int reap(struct sp_child child)
{
    siginfo_t info = {0};
    bool has_pidfd = child.pidfd >= 0;
    int status = -1;
    int rc;
    do {
        rc = waitid(has_pidfd ? P_PIDFD : P_PID,
                    (id_t)(has_pidfd ? child.pidfd : child.pid),
                    &info,
                    WEXITED);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                          : info.si_status;
    }
    return has_pidfd && sp_pidfd_status(child.pidfd, &status) ? status : -1;
}

static void end_group(struct sp_child *child, struct sp_child_result *result)
{
    kill_group(*child);
    result->status = reap(*child);
    sp_descriptor_close(&child->pidfd);
}

// The pidfd of a child that was started just now; -1: there is none to have, or others
// have reaped it already.
static int pidfd_of(pid_t pid)
{
    int pidfd = sp_descriptor_keep((int)syscall(SYS_pidfd_open, pid, 0));
    if (pidfd >= 0 && !sp_pidfd_is_ours(pidfd)) {
        sp_descriptor_close(&pidfd);
    }
    return pidfd;
}

static snakepit_err begin(char *const argv[],
                          char *const environment[],
                          struct pipes *pipes,
                          struct sp_child *child,
                          snakepit_message *why)
{
    if (!open_pipe(pipes->reply) || !open_pipe(pipes->words)) {
        return sp_system_failed(why, "pipe2", NULL, "to the program");
    }
    errno = spawn(argv, environment, pipes, &child->pid);
    sp_descriptor_close(&pipes->reply[1]);
    sp_descriptor_close(&pipes->words[1]);
    if (errno != 0) {
        return sp_system_failed(why, "posix_spawn", NULL, "of the program");
    }
    child->pidfd = pidfd_of(child->pid);
    if (child->pidfd >= 0) {
        sp_timeslice_shorten(child->pid);
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_child_run(char *const argv[],
                          char *const environment[],
                          uint64_t deadline,
                          struct sp_child_result *result,
                          snakepit_message *why)
{
    char *const *given = environment != NULL ? environment : environ;
    struct pipes pipes = {{-1, -1}, {-1, -1}};
    struct sp_child child = {0, -1};
    *result = (struct sp_child_result){.status = -1};
    snakepit_err outcome = begin(argv, given, &pipes, &child, why);
    if (outcome != SNAKEPIT_OK) {
        close_pipes(&pipes);
        return outcome;
    }
    outcome = hear(&pipes, deadline, result, why);
    outcome = outcome != SNAKEPIT_OK ? outcome : await_exit(child, deadline);
    end_group(&child, result);
    hear_rest(&pipes, result);
    close_pipes(&pipes);
    return outcome != SNAKEPIT_OK ? outcome : sp_buf_printf(&result->reply, "%s", "");
}

void sp_child_result_fini(struct sp_child_result *result)
{
    sp_buf_fini(&result->reply);
}
