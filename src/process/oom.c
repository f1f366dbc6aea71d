// SPDX-License-Identifier: MIT
// The kernel counts a kill before it sends the signal, in the group of the victim,
// whether the group's limit or the machine's memory was exhausted. So a group's counter
// that stands still is a denial; one that has risen is as good as a proof, since other
// victims in the group are most likely workers of ours, whose deaths are told apart by
// counting them.
#include "process/oom.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define MOUNT "/sys/fs/cgroup"

// Up to `count` the kills in a group have explained a death. Guarded by lock. One group
// is enough: workers start in the group of their host.
static struct {
    pthread_mutex_t lock;
    char file[SP_OOM_FILE_MAX];
    uint64_t count;
} explained = {.lock = PTHREAD_MUTEX_INITIALIZER};

// The number behind "oom_kill " at the start of a line; 0 if there is none.
static uint64_t read_count(const char *path)
{
    static const char key[] = "oom_kill ";
    char line[256];
    uint64_t count = 0;
    FILE *file = path[0] == 0 ? NULL : fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, sizeof key - 1) == 0) {
            count = strtoull(line + sizeof key - 1, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

// True if a line of /proc/PID/cgroup, "4:memory:/path" or "0::/path", is of the memory
// controller: of its own hierarchy, or of the one that has all.
static bool is_memory(const char *line, bool *unified)
{
    const char *names = strchr(line, ':') + 1;
    size_t size = strcspn(names, ":");
    char list[64];
    (void)snprintf(list, sizeof list, ",%.*s,", size < 60 ? (int)size : 60, names);
    *unified = strncmp(line, "0::", 3) == 0;
    return *unified || strstr(list, ",memory,") != NULL;
}

// True if one of the files that such a group may have is there.
static bool
find_in(const char *mount, const char *group, bool unified, char file[SP_OOM_FILE_MAX])
{
    static const struct {
        bool unified;
        const char *below; // the mount
        const char *name;
    } places[] = {
        {false, "/memory", "memory.oom_control"},
        {true, "", "memory.events.local"},
        {true, "", "memory.events"},
        {true, "/unified", "memory.events"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].unified != unified) {
            continue;
        }
        int size = snprintf(file,
                            SP_OOM_FILE_MAX,
                            "%s%s%s/%s",
                            mount,
                            places[i].below,
                            strcmp(group, "/") == 0 ? "" : group,
                            places[i].name);
        if (size < (int)SP_OOM_FILE_MAX && access(file, R_OK) == 0) {
            return true;
        }
    }
    file[0] = 0;
    return false;
}

void sp_oom_find_file(const char *groups, const char *mount, char file[SP_OOM_FILE_MAX])
{
    char line[SP_OOM_FILE_MAX];
    file[0] = 0;
    for (const char *at = groups; *at != 0; at += strspn(at, "\n")) {
        size_t size = strcspn(at, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)size, at);
        at += size;
        bool unified;
        const char *group = strchr(line, '/');
        if (strchr(line, ':') != NULL && group != NULL && size < sizeof line &&
            is_memory(line, &unified) && find_in(mount, group, unified, file)) {
            return;
        }
    }
}

void sp_oom_look(struct sp_oom_seen *seen)
{
    char groups[8192];
    *seen = (struct sp_oom_seen){0};
    if (sp_file_read("/proc/self/cgroup", groups, sizeof groups) > 0) {
        sp_oom_find_file(groups, MOUNT, seen->file);
        seen->group = read_count(seen->file);
    }
    // A long file, and each worker of a large pool comes here.
    if (seen->file[0] == 0) {
        seen->machine = read_count("/proc/vmstat");
    }
}

void sp_oom_look_into(struct sp_oom_seen *seen, const char *group)
{
    char file[SP_OOM_FILE_MAX];
    int size = snprintf(file, sizeof file, "%s/memory.events", group);
    if (group[0] != 0 && size < (int)sizeof file && access(file, R_OK) == 0) {
        *seen = (struct sp_oom_seen){.group = read_count(file), .alone = true};
        memcpy(seen->file, file, (size_t)size + 1);
    }
}

enum sp_oom sp_oom_judge(const struct sp_oom_seen *seen)
{
    if (seen->alone) {
        return read_count(seen->file) > seen->group ? SP_OOM_YES : SP_OOM_NO;
    }
    if (seen->file[0] == 0) {
        return read_count("/proc/vmstat") > seen->machine ? SP_OOM_POSSIBLE : SP_OOM_NO;
    }
    uint64_t now = read_count(seen->file);
    pthread_mutex_lock(&explained.lock);
    if (strcmp(explained.file, seen->file) != 0) {
        memcpy(explained.file, seen->file, sizeof explained.file);
        explained.count = 0;
    }
    uint64_t before = explained.count > seen->group ? explained.count : seen->group;
    bool killed = now > before;
    if (killed) {
        explained.count = before + 1;
    }
    pthread_mutex_unlock(&explained.lock);
    return killed ? SP_OOM_YES : SP_OOM_NO;
}
