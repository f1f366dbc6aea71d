// SPDX-License-Identifier: MIT
// Everything is read from /proc, which does not lie about leaks.
#include "support/census.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <snakepit/snakepit.h>

static pid_t parent_of(pid_t pid)
{
    char path[64];
    char line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -1;
    }
    size_t got = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[got] = 0;
    const char *at = strrchr(line, ')');
    int parent = -1;
    return at != NULL && sscanf(at + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

// Those of the processes of /proc that have that parent; 0: the descriptors of this
// process; less: all.
static uint32_t count_entries(const char *folder, pid_t parent)
{
    uint32_t count = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return 0;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        if (parent == 0 ? number != dirfd(entries)
                        : parent < 0 || parent_of(number) == parent) {
            count++;
        }
    }
    (void)closedir(entries);
    return count;
}

uint64_t census_mappings_of(pid_t pid)
{
    char line[1024];
    char path[64];
    uint64_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, "memfd:snakepit") != NULL ? 1 : 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

uint32_t census_descriptors_of(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return count_entries(path, -1);
}

struct census census_take(void)
{
    return (struct census){
        .descriptors = count_entries("/proc/self/fd", 0),
        .children = count_entries("/proc", getpid()),
        .mappings = census_mappings_of(getpid()),
    };
}

uint32_t census_children(pid_t *pids, uint32_t most)
{
    uint32_t count = 0;
    DIR *entries = opendir("/proc");
    const struct dirent *entry;
    while (entries != NULL && count < most && (entry = readdir(entries)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && parent_of(pid) == getpid()) {
            pids[count++] = pid;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

int census_signal_child(pid_t pid, int signal)
{
    // The descriptor pins the process, so that the check and the signal mean the same
    // one.
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        return 0;
    }
    int sent = parent_of(pid) == getpid() &&
               syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0;
    (void)close(pidfd);
    return sent;
}

uint32_t census_variable(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || text[0] == 0 ? otherwise : (uint32_t)strtoul(text, NULL, 10);
}
