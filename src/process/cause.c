// SPDX-License-Identifier: MIT
// The one thing to know: a dying process can be waited for only after it has given back
// its memory, which takes 20 ms a GiB; /proc/PID/stat tells its exit code before that.
// It also shows 0 for what it hides, so a 0 counts only where it is certainly not
// hidden.
#include "process/cause.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "ipc/segment.h"

#define WROTE                                                               \
    ": it wrote to a read-only tensor argument; copy the argument before, " \
    "or set the pool's tensors: copy"
#define CLOSED                                                                 \
    "ended: its adapter or a tool has closed descriptors that Snakepit needs " \
    "(os.closerange() or a daemon's start); close only what it has opened"

#define SHUT_DOWN                                                            \
    "ended: its adapter or a tool has shut down the worker's connection to " \
    "the host (shutdown()); shut down only sockets that it has opened"
#define BY_ITSELF                                                            \
    ": the adapter, a tool or a library has ended the process (os._exit(), " \
    "or exit() in C) instead of returning or raising"
#define TOLD "ended by SIGTERM, which came from outside"

#define STAT_FLAGS     9 // fields of /proc/PID/stat, counted from 1
#define STAT_VSIZE     23
#define STAT_EXIT_CODE 52
#define FLAG_EXITING   0x4 // the kernel's PF_EXITING

static struct sp_exit from_status(int status)
{
    struct sp_exit end = {.known = 1};
    if (WIFSIGNALED(status)) {
        end.signal = WTERMSIG(status);
    } else {
        end.code = WEXITSTATUS(status);
    }
    return end;
}

static struct sp_exit from_siginfo(const siginfo_t *info)
{
    struct sp_exit end = {.known = 1};
    if (info->si_code == CLD_EXITED) {
        end.code = info->si_status;
    } else {
        end.signal = info->si_status;
    }
    return end;
}

// The blank-separated field `wanted` of a line of /proc/PID/stat, counted from 1; 0 if
// there is none. The second one, a name, may hold blanks and parentheses.
static long stat_field(const char *line, int wanted)
{
    const char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < wanted; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtol(at, NULL, 10);
}

static bool read_stat(pid_t pid, const char *of, char *line, size_t size)
{
    char path[320];
    (void)snprintf(path, sizeof path, "/proc/%d/%s/stat", (int)pid, of);
    return sp_file_read(path, line, size) > 0;
}

static bool thread_exits(pid_t pid, const char *thread)
{
    char of[300];
    char line[2048];
    (void)snprintf(of, sizeof of, "task/%s", thread);
    return read_stat(pid, of, line, sizeof line) &&
           (stat_field(line, STAT_FLAGS) & FLAG_EXITING) != 0;
}

// Whether certainly no thread goes on. The first one may end alone, by itself or
// because another one calls exec and takes its number; that one has a moment without
// any.
static bool all_threads_exit(pid_t pid)
{
    char path[64];
    const struct dirent *entry;
    bool all = true;
    int seen = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (tasks != NULL && all && (entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.') {
            all = thread_exits(pid, entry->d_name);
            seen++;
        }
    }
    if (tasks != NULL) {
        (void)closedir(tasks);
    }
    return all && seen > 0;
}

// Whether /proc shows us what it hides from others. The link cannot be followed once
// the process has let go of its folder, but permission is judged before that.
static bool may_look(pid_t pid)
{
    char path[64];
    char room[1];
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    return readlink(path, room, sizeof room) >= 0 || errno == ENOENT;
}

// A process without memory has its final exit code. Only then is permission looked at:
// whether a process may be looked into can depend on its memory.
static bool shows_final_code(pid_t pid, const char *line)
{
    return stat_field(line, STAT_VSIZE) == 0 && all_threads_exit(pid) && may_look(pid);
}

// The exit code has the form of wait(2), and is 0 before the process exits, when it
// exits with status 0, and where it is hidden.
static struct sp_exit from_proc_of(pid_t pid)
{
    char line[2048];
    if (!read_stat(pid, ".", line, sizeof line)) {
        return (struct sp_exit){0};
    }
    if (stat_field(line, STAT_EXIT_CODE) == 0 &&
        !(shows_final_code(pid, line) && read_stat(pid, ".", line, sizeof line))) {
        return (struct sp_exit){0};
    }
    return from_status((int)stat_field(line, STAT_EXIT_CODE));
}

static struct sp_exit from_proc(int pidfd)
{
    pid_t pid = sp_pidfd_number_in_proc(pidfd);
    struct sp_exit end = pid == 0 ? (struct sp_exit){0} : from_proc_of(pid);
    // Still the same process, if the number is still its own.
    return pid == sp_pidfd_number_in_proc(pidfd) ? end : (struct sp_exit){0};
}

struct sp_exit sp_exit_peek(struct sp_child child)
{
    siginfo_t info = {0};
    int status;
    errno = 0;
    if (waitid(P_PIDFD, (id_t)child.pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
        return from_siginfo(&info);
    }
    int gone = errno == ECHILD;
    struct sp_exit end = {0};
    if (gone && sp_pidfd_status(child.pidfd, &status)) {
        end = from_status(status);
    } else if (!gone) {
        end = from_proc(child.pidfd);
    }
    end.gone = gone;
    return end;
}

bool sp_exit_is_replaced(struct sp_child child)
{
    char path[64];
    char *line = NULL;
    size_t room = 0;
    bool has_memory = false;
    bool has_ours = false;
    pid_t pid = sp_pidfd_number_in_proc(child.pidfd);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = pid == 0 ? NULL : fopen(path, "re");
    while (maps != NULL && !has_ours && getline(&line, &room, maps) > 0) {
        has_memory = true;
        has_ours = strstr(line, "/memfd:" SP_SEGMENT_NAMES) != NULL;
    }
    free(line);
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return has_memory && !has_ours && pid == sp_pidfd_number_in_proc(child.pidfd);
}

struct sp_exit sp_exit_reap(struct sp_child child)
{
    siginfo_t info = {0};
    return waitid(P_PIDFD, (id_t)child.pidfd, &info, WEXITED | WNOHANG) == 0 &&
                   info.si_pid != 0
               ? from_siginfo(&info)
               : (struct sp_exit){0};
}

// What a signal says alone is less than what the worker or its machine has said
// besides; NULL: nothing has.
static const char *known_reason(const struct sp_exit *end, enum sp_oom memory)
{
    bool by_kill = end->signal == SIGKILL;
    if (by_kill && end->fault == SP_FAULT_DESCRIPTORS) {
        return CLOSED;
    }
    if (by_kill && end->fault == SP_FAULT_CHANNEL) {
        return SHUT_DOWN;
    }
    if (by_kill && memory == SP_OOM_YES) {
        return "killed by the kernel: out of memory";
    }
    if (by_kill && memory == SP_OOM_POSSIBLE) {
        return "killed by signal 9 (SIGKILL); possibly out of memory";
    }
    if (!end->known) {
        return "died; the kernel has not said how";
    }
    return end->signal == SIGTERM && end->fault == SP_FAULT_TOLD ? TOLD : NULL;
}

static void describe_signal(const struct sp_exit *end, char *room, size_t size)
{
    const char *name = sigabbrev_np(end->signal);
    bool wrote = end->signal == SIGSEGV && end->fault == SP_FAULT_ARGUMENT;
    (void)snprintf(room,
                   size,
                   "killed by signal %d (SIG%s)%s",
                   end->signal,
                   name == NULL ? "?" : name,
                   wrote ? WROTE : "");
}

void sp_exit_describe(const struct sp_exit *end,
                      const char *because,
                      enum sp_oom memory,
                      char *room,
                      size_t size)
{
    const char *reason = known_reason(end, memory);
    if (because != NULL) {
        (void)snprintf(room, size, "killed by us because %s", because);
    } else if (reason != NULL) {
        (void)snprintf(room, size, "%s", reason);
    } else if (end->signal != 0) {
        describe_signal(end, room, size);
    } else {
        const char *why = end->served ? BY_ITSELF : "";
        (void)snprintf(room, size, "exited with status %d%s", end->code, why);
    }
}
