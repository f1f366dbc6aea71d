// SPDX-License-Identifier: MIT
// posix_spawn does an exec's work: it is a vfork, so the size of the host does not
// matter, and it reports a failed exec. Descriptors are first moved out of the way of
// the numbers that they become.
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/system.h"
#include "base/timeslice.h"
#include "interpreter/interpreter.h"
#include "ipc/channel.h"
#include "ipc/layout.h"

#define FIRST_SAFE 32 // above every number that a worker's descriptor becomes

// Our ends and the worker's ends, -1 where closed.
struct ends {
    int channel[2];
    int output[2];
    int errors[2];
    int null;
};

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        sp_descriptor_close(&ends->channel[i]);
        sp_descriptor_close(&ends->output[i]);
        sp_descriptor_close(&ends->errors[i]);
    }
    sp_descriptor_close(&ends->null);
}

static bool move_up(int *fd)
{
    int moved = sp_descriptor_copy_above(*fd, FIRST_SAFE);
    if (moved >= 0) {
        sp_descriptor_close(fd);
        *fd = moved;
    }
    return moved >= 0;
}

// It was made just now, so it has no other flags.
static bool set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

// One of the three ways between us and a process.
static snakepit_err
keep_way(int made, int fds[2], const char *call, snakepit_message *why)
{
    return made == 0 && sp_descriptor_keep_pair(fds)
               ? SNAKEPIT_OK
               : sp_system_failed(why, call, NULL, "to a new process");
}

static snakepit_err all_set(bool all, snakepit_message *why)
{
    return all ? SNAKEPIT_OK
               : sp_system_failed(why, "fcntl", NULL, "of a way to a new process");
}

// What a process that the template forks needs.
static snakepit_err open_ways(struct ends *ends, snakepit_message *why)
{
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
    *ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}, -1};
    snakepit_err err = keep_way(
        socketpair(AF_UNIX, type, 0, ends->channel), ends->channel, "socketpair", why);
    if (err == SNAKEPIT_OK) {
        err = keep_way(pipe2(ends->output, O_CLOEXEC), ends->output, "pipe2", why);
    }
    if (err == SNAKEPIT_OK) {
        err = keep_way(pipe2(ends->errors, O_CLOEXEC), ends->errors, "pipe2", why);
    }
    return err != SNAKEPIT_OK ? err
                              : all_set(set_nonblocking(ends->channel[0]) &&
                                            set_nonblocking(ends->output[0]) &&
                                            set_nonblocking(ends->errors[0]),
                                        why);
}

// The same for one that is exec'ed, and gets each under a number of its own.
static snakepit_err open_ends(struct ends *ends, snakepit_message *why)
{
    snakepit_err err = open_ways(ends, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    ends->null = sp_descriptor_keep(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (ends->null < 0) {
        return sp_system_failed(why, "open", NULL, "of /dev/null");
    }
    return all_set(move_up(&ends->channel[1]) && move_up(&ends->output[1]) &&
                       move_up(&ends->errors[1]) && move_up(&ends->null),
                   why);
}

// What each descriptor of the new process becomes, from 0 on.
typedef int descriptor_map[SP_FD_COUNT];

static int add_descriptors(posix_spawn_file_actions_t *actions,
                           const descriptor_map map)
{
    int rc = 0;
    for (int i = 0; i < SP_FD_COUNT && rc == 0; i++) {
        rc = posix_spawn_file_actions_adddup2(actions, map[i], i);
    }
    return rc != 0 ? rc
                   : posix_spawn_file_actions_addclosefrom_np(actions, SP_FD_COUNT);
}

// A group of its own, default signals, none blocked: whatever the host has set up is
// its own.
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags =
        POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int rc = posix_spawnattr_setflags(attributes, flags);
    rc = rc != 0 ? rc : posix_spawnattr_setpgroup(attributes, 0);
    rc = rc != 0 ? rc : posix_spawnattr_setsigmask(attributes, &none);
    return rc != 0 ? rc : posix_spawnattr_setsigdefault(attributes, &all);
}

static int start(const struct sp_spawn_options *options,
                 const char *program,
                 const descriptor_map map,
                 pid_t *pid)
{
    char flag[] = "-c";
    char *const words[] = {
        (char *)(uintptr_t)options->python, flag, (char *)(uintptr_t)program, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = set_attributes(&attributes);
        rc = rc != 0 ? rc : add_descriptors(&actions, map);
        rc = rc != 0 ? rc
                     : posix_spawn(pid,
                                   options->python,
                                   &actions,
                                   &attributes,
                                   words,
                                   options->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

// Copies of the payload descriptors with numbers that are out of the way.
static snakepit_err copy_payload(const struct sp_spawn_options *options, int payload[4])
{
    const int given[4] = {
        options->control, options->requests, options->results, options->doorbell};
    bool copied = true;
    for (int i = 0; i < 4; i++) {
        payload[i] = copied ? sp_descriptor_copy_above(given[i], FIRST_SAFE) : -1;
        copied = payload[i] >= 0;
    }
    return copied ? SNAKEPIT_OK
                  : sp_system_failed(
                        options->why, "fcntl", NULL, "F_DUPFD of a worker's memory");
}

// The number is its own as long as we have not reaped it; where the host ignores
// SIGCHLD it may be gone, and its number another's.
void sp_process_end(struct sp_process *process)
{
    int reason = errno;
    if (sp_pid_is_ours(process->pid)) {
        (void)kill(-process->pid, SIGKILL);
        bool killed = kill(process->pid, SIGKILL) == 0;
        while (killed && waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    sp_descriptor_close(&process->pidfd);
    process->pid = 0;
    errno = reason;
}

void sp_process_close(struct sp_process *process)
{
    sp_descriptor_close(&process->pidfd);
    sp_descriptor_close(&process->channel);
    sp_descriptor_close(&process->output);
    sp_descriptor_close(&process->errors);
}

snakepit_err
sp_process_adopt(struct sp_process *process, pid_t pid, snakepit_message *why)
{
    struct sp_process adopted = *process;
    adopted.pid = pid;
    adopted.pidfd = sp_descriptor_keep((int)syscall(SYS_pidfd_open, pid, 0));
    if (adopted.pidfd < 0) {
        sp_process_end(&adopted);
        return sp_system_failed(why, "pidfd_open", NULL, "of process %d", (int)pid);
    }
    if (!sp_pidfd_is_ours(adopted.pidfd)) {
        sp_descriptor_close(&adopted.pidfd);
        errno = ESRCH;
        return sp_system_failed(why, "pidfd_open", NULL, "of process %d", (int)pid);
    }
    *process = adopted;
    return SNAKEPIT_OK;
}

static void keep_our_ends(struct ends *ends, struct sp_process *process)
{
    process->channel = ends->channel[0];
    process->output = ends->output[0];
    process->errors = ends->errors[0];
    ends->channel[0] = ends->output[0] = ends->errors[0] = -1;
}

// Starts what the map describes and closes `ends`, but for ours if it succeeds.
static snakepit_err spawn(const struct sp_spawn_options *options,
                          const char *program,
                          const descriptor_map map,
                          struct ends *ends,
                          struct sp_process *process)
{
    pid_t pid = -1;
    snakepit_err err = SNAKEPIT_OK;
    errno = start(options, program, map, &pid);
    if (errno != 0) {
        err = sp_system_failed(
            options->why, "posix_spawn", NULL, "of %.200s", options->python);
    }
    // It cannot have been reaped yet, so the number still means this process.
    if (err == SNAKEPIT_OK) {
        err = sp_process_adopt(process, pid, options->why);
    }
    if (err == SNAKEPIT_OK) {
        sp_timeslice_shorten(pid); // one that is forked has its template's
        keep_our_ends(ends, process);
    }
    close_ends(ends);
    return err;
}

snakepit_err sp_spawn(const struct sp_spawn_options *options,
                      struct sp_process *process)
{
    struct ends ends;
    int payload[4] = {-1, -1, -1, -1};
    snakepit_err err = open_ends(&ends, options->why);
    err = err == SNAKEPIT_OK ? copy_payload(options, payload) : err;
    if (err == SNAKEPIT_OK) {
        const descriptor_map map = {ends.null,
                                    ends.output[1],
                                    ends.errors[1],
                                    payload[0],
                                    payload[1],
                                    payload[2],
                                    ends.channel[1],
                                    payload[3]};
        err = spawn(options, SP_PYTHON_BRIDGE("worker", "main"), map, &ends, process);
    } else {
        close_ends(&ends);
    }
    for (int i = 0; i < 4; i++) {
        sp_descriptor_close(&payload[i]);
    }
    return err;
}

snakepit_err sp_spawn_template(const struct sp_spawn_options *options,
                               struct sp_process *process)
{
    struct ends ends;
    snakepit_err err = open_ends(&ends, options->why);
    if (err != SNAKEPIT_OK) {
        close_ends(&ends);
        return err;
    }
    // The places of what its workers get are taken, so that no import gets them.
    const descriptor_map map = {[STDIN_FILENO] = ends.null,
                                [STDOUT_FILENO] = ends.output[1],
                                [STDERR_FILENO] = ends.errors[1],
                                [SP_FD_TEMPLATE] = ends.channel[1],
                                [SP_FD_REQUESTS] = ends.null,
                                [SP_FD_RESULTS] = ends.null,
                                [SP_FD_CHANNEL] = ends.null,
                                [SP_FD_DOORBELL] = ends.null};
    return spawn(options, SP_PYTHON_BRIDGE("template", "main"), map, &ends, process);
}

snakepit_err sp_spawn_fork(const struct sp_spawn_options *options,
                           int channel,
                           uint64_t ticket,
                           struct sp_process *process)
{
    struct ends ends;
    snakepit_err err = open_ways(&ends, options->why);
    if (err != SNAKEPIT_OK) {
        close_ends(&ends);
        return err;
    }
    const int descriptors[SP_FORK_FDS] = {ends.output[1],
                                          ends.errors[1],
                                          options->control,
                                          options->requests,
                                          options->results,
                                          ends.channel[1],
                                          options->doorbell};
    if (sp_channel_send_fork(channel, ticket, descriptors) != SNAKEPIT_OK) {
        err = sp_system_failed(options->why, "sendmsg", NULL, "to the template");
        close_ends(&ends);
        return err;
    }
    process->pid = 0;
    process->pidfd = -1;
    keep_our_ends(&ends, process);
    close_ends(&ends);
    return SNAKEPIT_OK;
}
