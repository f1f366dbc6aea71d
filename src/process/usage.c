// SPDX-License-Identifier: MIT
// How much memory and processor time a worker uses. What it maps of the pool's shared
// memory is not its own: arrays that it was given count for whoever holds them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pidfd.h"
#include "process/worker.h"

#define KIB       1024u
#define LINE_MOST 64u // of those that are looked for

// The number of bytes that a line tells: "VmRSS:    1234 kB".
static uint64_t bytes_in(const char *text, const char *key)
{
    const char *line = strstr(text, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10) * KIB;
}

// One number less another one, of a file in the worker's folder of /proc; 0: it cannot
// be read.
static uint64_t difference_in(const struct sp_worker *worker,
                              const char *file,
                              const char *all_key,
                              const char *shared_key)
{
    char path[64];
    char text[4096];
    pid_t number = sp_pidfd_number_in_proc(worker->child.process.pidfd);
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)number, file);
    if (number == 0 || sp_file_read_cut(path, LINE_MOST, text, sizeof text) == 0) {
        return 0;
    }
    uint64_t all = bytes_in(text, all_key);
    uint64_t shared = bytes_in(text, shared_key);
    return all > shared ? all - shared : 0;
}

uint64_t sp_worker_memory(const struct sp_worker *worker)
{
    return difference_in(worker, "status", "\nVmRSS:", "\nRssShmem:");
}

uint64_t sp_worker_share(const struct sp_worker *worker)
{
    uint64_t share = difference_in(worker, "smaps_rollup", "\nPss:", "\nPss_Shmem:");
    return share != 0 ? share : sp_worker_memory(worker);
}

uint64_t sp_worker_cpu(const struct sp_worker *worker)
{
    clockid_t clock;
    struct timespec used;
    // Its number is its own as long as we have not reaped it.
    if (!sp_pidfd_is_ours(worker->child.process.pidfd) ||
        clock_getcpuclockid(worker->child.process.pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * SP_NS_PER_S + (uint64_t)used.tv_nsec;
}
