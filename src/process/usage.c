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
#define TEXT_MOST 4096u

// The number behind a key: "Threads:    12".
static uint64_t number_in(const char *text, const char *key)
{
    const char *line = strstr(text, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10);
}

// Of two lines such as "VmRSS:    1234 kB" one number less the other, in bytes.
static uint64_t
difference_in(const char *text, const char *all_key, const char *shared_key)
{
    uint64_t all = number_in(text, all_key) * KIB;
    uint64_t shared = number_in(text, shared_key) * KIB;
    return all > shared ? all - shared : 0;
}

// A file in the worker's folder of /proc; empty: it cannot be read.
static void
read_file(const struct sp_worker *worker, const char *file, char text[TEXT_MOST])
{
    char path[64];
    pid_t number = sp_pidfd_number_in_proc(worker->child.process.pidfd);
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)number, file);
    if (number == 0 || sp_file_read_cut(path, LINE_MOST, text, TEXT_MOST) == 0) {
        text[0] = '\0';
    }
}

struct sp_worker_usage sp_worker_usage(const struct sp_worker *worker)
{
    char text[TEXT_MOST];
    read_file(worker, "status", text);
    return (struct sp_worker_usage){
        .memory = difference_in(text, "\nVmRSS:", "\nRssShmem:"),
        .threads = (uint32_t)number_in(text, "\nThreads:"),
    };
}

uint64_t sp_worker_memory(const struct sp_worker *worker)
{
    return sp_worker_usage(worker).memory;
}

uint64_t sp_worker_share(const struct sp_worker *worker)
{
    char text[TEXT_MOST];
    read_file(worker, "smaps_rollup", text);
    uint64_t share = difference_in(text, "\nPss:", "\nPss_Shmem:");
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
