// SPDX-License-Identifier: MIT
// /proc is asked, for a thread has no other door to the outside.
#include "inspect/threads.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define STAT_MOST       512u
#define THREADS_MOST    64u // that are looked at
#define LEAST_MS        200u
#define PARTS           10u // of the time of the busiest
#define FIELDS_TO_UTIME 11u // behind the letter of the state

// What is behind the name of a thread, from its state on. NULL: there is none such.
static const char *read_stat(pid_t pid, uint64_t thread, char text[STAT_MOST])
{
    char path[64];
    if (pid <= 0 || thread == 0 || thread > INT32_MAX) {
        return NULL;
    }
    (void)snprintf(
        path, sizeof path, "/proc/%d/task/%" PRIu64 "/stat", (int)pid, thread);
    if (sp_file_read(path, text, STAT_MOST) == 0) {
        return NULL;
    }
    // Its name may have anything in it, so the last bracket counts.
    const char *behind = strrchr(text, ')');
    return behind == NULL || behind[1] != ' ' ? NULL : behind + 2;
}

char sp_threads_state(pid_t pid, uint64_t thread)
{
    char text[STAT_MOST];
    const char *stat = read_stat(pid, thread, text);
    if (stat == NULL) {
        return 0;
    }
    return stat[0];
}

// Processor time that a thread has used, in ticks of the kernel.
static uint64_t used_by(pid_t pid, uint64_t thread)
{
    char text[STAT_MOST];
    const char *at = read_stat(pid, thread, text);
    char *end = NULL;
    for (uint32_t i = 0; at != NULL && i < FIELDS_TO_UTIME; i++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL) {
        return 0;
    }
    const uint64_t user = strtoull(at, &end, 10);
    return user + strtoull(end, NULL, 10);
}

static bool is_known(uint64_t thread, const uint64_t *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (known[i] == thread) {
            return true;
        }
    }
    return false;
}

uint32_t sp_threads_computing(pid_t pid, const uint64_t *known, size_t count)
{
    char path[64];
    uint64_t busiest = 0;
    uint32_t computing = 0;
    uint32_t seen = 0;
    for (size_t i = 0; i < count && i < THREADS_MOST; i++) {
        const uint64_t used = used_by(pid, known[i]);
        busiest = used > busiest ? used : busiest;
    }
    if (busiest * 1000 < LEAST_MS * (uint64_t)sysconf(_SC_CLK_TCK)) {
        return 0;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): of a stream of our own it is
    while (tasks != NULL && seen < THREADS_MOST && (entry = readdir(tasks)) != NULL) {
        const uint64_t thread = strtoull(entry->d_name, NULL, 10);
        if (thread != 0 && !is_known(thread, known, count)) {
            computing += used_by(pid, thread) * PARTS >= busiest;
            seen++;
        }
    }
    if (tasks != NULL) {
        (void)closedir(tasks);
    }
    return computing;
}

const char *sp_threads_state_name(char state)
{
    switch (state) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "waiting for a device";
    case 'T':
        return "stopped";
    case 't':
        return "stopped by a debugger";
    case 'Z':
    case 'X':
        return "dead";
    default:
        return "unknown";
    }
}
