// SPDX-License-Identifier: MIT
#include "base/cgroup_bounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup_tree.h"

#define PERCENT       100u
#define AS_GOOD_AS_NO (UINT64_C(1) << 60) // bytes; version 1 has no word for "no limit"

typedef char group_path[2 * SP_CGROUP_PATH_MAX];

// ---- One group ----------------------------------------------------------------

// The number that a file begins with; UNBOUNDED for none, such as "max" or "-1".
static uint64_t number_in(const char *group, const char *file)
{
    char text[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read(group, file, text);
    return text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : SP_UNBOUNDED;
}

static void lower_cpu(struct sp_cgroup_bounds *into, uint64_t quota, uint64_t period)
{
    if (quota == SP_UNBOUNDED || period == 0 || period == SP_UNBOUNDED ||
        quota > UINT32_MAX) {
        return;
    }
    uint64_t percent = (quota * PERCENT + period - 1) / period;
    if (percent > 0 && (into->cpu_percent == 0 || percent < into->cpu_percent)) {
        into->cpu_percent = (uint32_t)percent;
    }
}

// "200000 100000" or "max 100000".
static void look_at_cpu(const char *group, struct sp_cgroup_bounds *into)
{
    char text[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read(group, "cpu.max", text);
    const char *period = strchr(text, ' ');
    if (period != NULL && text[0] != 'm') {
        lower_cpu(into, strtoull(text, NULL, 10), strtoull(period, NULL, 10));
    }
    lower_cpu(into,
              number_in(group, "cpu.cfs_quota_us"),
              number_in(group, "cpu.cfs_period_us"));
}

static void lower(uint64_t *least, uint64_t value)
{
    *least = value < *least ? value : *least;
}

// How a version calls its files.
struct memory_files {
    const char *limit;
    const char *used;
    const char *cache; // the line of memory.stat, with what is before and behind it
};

static const struct memory_files memory_files[] = {
    {"memory.max", "memory.current", "\ninactive_file "},
    {"memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_inactive_file "},
};

// What is in use, without what the kernel would give back at once: files that were read
// long ago.
static uint64_t used_in(const char *group, const struct memory_files *files)
{
    char text[SP_CGROUP_TEXT_MAX];
    uint64_t used = number_in(group, files->used);
    sp_cgroup_read(group, "memory.stat", text);
    const char *line = strstr(text, files->cache);
    uint64_t cache = line == NULL ? 0 : strtoull(line + strlen(files->cache), NULL, 10);
    return used == SP_UNBOUNDED || used < cache ? 0 : used - cache;
}

static void look_at_memory(const char *group, struct sp_cgroup_bounds *into)
{
    for (size_t i = 0; i < sizeof memory_files / sizeof memory_files[0]; i++) {
        uint64_t most = number_in(group, memory_files[i].limit);
        if (most < PERCENT || most >= AS_GOOD_AS_NO) {
            continue;
        }
        lower(&into->memory, most);
        uint64_t usage = used_in(group, &memory_files[i]) / (most / PERCENT);
        into->memory_usage =
            usage > into->memory_usage ? (uint32_t)usage : into->memory_usage;
    }
}

static void look_at_group(const char *group, struct sp_cgroup_bounds *into)
{
    look_at_cpu(group, into);
    look_at_memory(group, into);
    uint64_t most = number_in(group, "pids.max");
    uint64_t now = number_in(group, "pids.current");
    if (most != SP_UNBOUNDED && now != SP_UNBOUNDED) {
        lower(&into->tasks, most > now ? most - now : 0);
    }
}

// ---- All of them --------------------------------------------------------------

// The group of that path and those above it, up to the mount itself.
static void walk(const char *mount, const char *path, struct sp_cgroup_bounds *into)
{
    group_path group;
    size_t root = strlen(mount);
    (void)snprintf(group, sizeof group, "%s%s", mount, strcmp(path, "/") ? path : "");
    look_at_group(group, into);
    for (char *slash;
         (slash = strrchr(group, '/')) != NULL && (size_t)(slash - group) >= root;) {
        *slash = '\0';
        look_at_group(group, into);
    }
}

// One line of /proc/self/cgroup, "4:cpu,cpuacct:/path", of version 1.
static void look_at_line(const char *root, char *line, struct sp_cgroup_bounds *into)
{
    group_path mount;
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL || path[1] != '/' || path == controllers + 1) {
        return; // "0::/path" is of version 2
    }
    *path++ = '\0';
    (void)snprintf(mount, sizeof mount, "%.400s/%.100s", root, controllers + 1);
    walk(mount, path, into);
}

void sp_cgroup_bounds(const char *root,
                      const char *own,
                      struct sp_cgroup_bounds *bounds)
{
    char mount[SP_CGROUP_PATH_MAX];
    char path[SP_CGROUP_PATH_MAX];
    char lines[SP_CGROUP_TEXT_MAX];
    char *rest = NULL;
    *bounds = (struct sp_cgroup_bounds){.memory = SP_UNBOUNDED, .tasks = SP_UNBOUNDED};
    sp_cgroup_mount(root, mount);
    if (sp_cgroup_own(own, path)) {
        walk(mount, path, bounds);
    }
    (void)snprintf(lines, sizeof lines, "%s", own);
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        look_at_line(root, line, bounds);
    }
}
