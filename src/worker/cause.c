// SPDX-License-Identifier: MIT
// The one thing to know: a dying process can be waited for only after it has given back
// its memory, which takes 20 ms a GiB; /proc/PID/stat tells its exit code before that.
#include "worker/cause.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "ipc/segment.h"

#define WROTE                                                               \
    ": it wrote to a read-only tensor argument; copy the argument before, " \
    "or set the pool's tensors: copy"
#define CLOSED                                                                 \
    "ended: its adapter or a tool has closed descriptors that Snakepit needs " \
    "(os.closerange() or a daemon's start); close only what it has opened"

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

static size_t read_text(const char *path, char *room, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t got = file == NULL ? 0 : fread(room, 1, size - 1, file);
    room[got] = 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return got;
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
    return read_text(path, line, size) > 0;
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

// The exit code has the form of wait(2), and is 0 both before the process exits and
// when it exits with status 0. A process has its final one when it has let go of its
// memory.
static struct sp_exit from_proc(pid_t pid)
{
    char line[2048];
    if (!read_stat(pid, ".", line, sizeof line)) {
        return (struct sp_exit){0};
    }
    long status = stat_field(line, STAT_EXIT_CODE);
    bool final =
        status != 0 || (stat_field(line, STAT_VSIZE) == 0 && all_threads_exit(pid));
    return final ? from_status((int)status) : (struct sp_exit){0};
}

struct sp_exit sp_exit_peek(pid_t pid)
{
    siginfo_t info = {0};
    errno = 0;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid) {
        return from_siginfo(&info);
    }
    int gone = errno == ECHILD;
    struct sp_exit end = from_proc(pid);
    end.gone = gone;
    return end;
}

bool sp_exit_is_replaced(pid_t pid)
{
    char path[64];
    char *line = NULL;
    size_t room = 0;
    bool has_memory = false;
    bool has_ours = false;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && !has_ours && getline(&line, &room, maps) > 0) {
        has_memory = true;
        has_ours = strstr(line, "/memfd:" SP_SEGMENT_NAMES) != NULL;
    }
    free(line);
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return has_memory && !has_ours;
}

struct sp_exit sp_exit_reap(pid_t pid)
{
    int status = 0;
    return waitpid(pid, &status, WNOHANG) == pid ? from_status(status)
                                                 : (struct sp_exit){0};
}

void sp_exit_describe(const struct sp_exit *end,
                      const char *because,
                      enum sp_oom memory,
                      char *room,
                      size_t size)
{
    if (because != NULL) {
        (void)snprintf(room, size, "killed by us because %s", because);
    } else if (end->signal == SIGKILL && end->fault == SP_FAULT_DESCRIPTORS) {
        (void)snprintf(room, size, "%s", CLOSED);
    } else if (end->signal == SIGKILL && memory == SP_OOM_YES) {
        (void)snprintf(room, size, "killed by the kernel: out of memory");
    } else if (end->signal == SIGKILL && memory == SP_OOM_POSSIBLE) {
        (void)snprintf(
            room, size, "killed by signal 9 (SIGKILL); possibly out of memory");
    } else if (!end->known) {
        (void)snprintf(room, size, "died; the kernel has not said how");
    } else if (end->signal != 0) {
        const char *name = sigabbrev_np(end->signal);
        (void)snprintf(room,
                       size,
                       "killed by signal %d (SIG%s)%s",
                       end->signal,
                       name == NULL ? "?" : name,
                       end->signal == SIGSEGV && end->fault == SP_FAULT_ARGUMENT ? WROTE
                                                                                 : "");
    } else {
        (void)snprintf(room, size, "exited with status %d", end->code);
    }
}
