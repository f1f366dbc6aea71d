// SPDX-License-Identifier: MIT
// sched_setattr(2) sets policy, nice value and time slice at once, so the others are
// read first.
#include "base/timeslice.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// As linux/sched/types.h has it, which does not go together with <sched.h>.
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice; // sched_runtime; 0: what the system gives
    uint64_t deadline;
    uint64_t period;
};

#define RESET_ON_FORK UINT64_C(1)

// False: another policy, which has none, or a kernel that does not report it.
static bool read_attributes(pid_t tid, struct attributes *now)
{
    *now = (struct attributes){0};
    return syscall(SYS_sched_getattr, tid, now, sizeof(*now), 0) == 0 &&
           (now->policy == SCHED_OTHER || now->policy == SCHED_BATCH) &&
           now->slice != 0;
}

static void set_slice(pid_t tid, uint64_t slice)
{
    struct attributes now;
    if (read_attributes(tid, &now)) {
        now.size = sizeof(now);
        now.flags &= RESET_ON_FORK;
        now.slice = slice;
        (void)syscall(SYS_sched_setattr, tid, &now, 0);
    }
}

void sp_timeslice_shorten(pid_t pid)
{
    set_slice(pid, SP_TIMESLICE_SHORT);
}

void sp_timeslice_lengthen(pid_t pid)
{
    set_slice(pid, SP_TIMESLICE_LONG);
}

// The kernel counts a folder for each thread, and the two that every folder has.
static bool are_all(nlink_t threads)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 && status.st_nlink == threads + 2;
}

static void restore_all(void)
{
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) {
        set_slice(0, 0);
        return;
    }
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while ((entry = readdir(threads)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0) {
            set_slice(tid, 0);
        }
    }
    closedir(threads);
}

void sp_timeslice_restore(pid_t other)
{
    if (!are_all(other == 0 ? 1 : 2)) {
        restore_all();
        return;
    }
    set_slice(0, 0);
    if (other != 0) {
        set_slice(other, 0);
    }
}

uint64_t sp_timeslice_of(pid_t tid)
{
    struct attributes now;
    return read_attributes(tid, &now) ? now.slice : 0;
}
