// SPDX-License-Identifier: MIT
// How much memory a worker uses. What it maps of the pool's shared memory is not its
// own: arrays that it was given count for whoever holds them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/pidfd.h"
#include "process/worker.h"

#define KIB       1024u
#define LINE_MOST 64u // of those that are looked for

// The number of bytes that a line of /proc/PID/status tells: "VmRSS:    1234 kB".
static uint64_t bytes_in(const char *status, const char *key)
{
    const char *line = strstr(status, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10) * KIB;
}

uint64_t sp_worker_memory(const struct sp_worker *worker)
{
    char path[64];
    char status[4096];
    pid_t number = sp_pidfd_number_in_proc(worker->child.process.pidfd);
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)number);
    if (number == 0 || sp_file_read_cut(path, LINE_MOST, status, sizeof status) == 0) {
        return 0;
    }
    uint64_t all = bytes_in(status, "\nVmRSS:");
    uint64_t shared = bytes_in(status, "\nRssShmem:");
    return all > shared ? all - shared : 0;
}
