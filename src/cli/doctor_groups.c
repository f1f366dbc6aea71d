// SPDX-License-Identifier: MIT
// The limits of control groups, of both versions: each group above counts as well. A
// file that is not there limits nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup_tree.h"
#include "cli/doctor.h"

#define PERCENT       100u
#define AS_GOOD_AS_NO (UINT64_C(1) << 60) // bytes; version 1 has no word for "no limit"

typedef char group_path[2 * SP_CGROUP_PATH_MAX];

// ---- One group ----------------------------------------------------------------

// The number that a file begins with; UNLIMITED for none, such as "max" or "-1".
static uint64_t number_in(const char *group, const char *file)
{
    char text[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read(group, file, text);
    return text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10)
                                            : SP_DOCTOR_UNLIMITED;
}

static void lower_cpu(struct sp_doctor_group *into, uint64_t quota, uint64_t period)
{
    if (quota == SP_DOCTOR_UNLIMITED || period == 0 || period == SP_DOCTOR_UNLIMITED ||
        quota > UINT32_MAX) {
        return;
    }
    uint64_t percent = (quota * PERCENT + period - 1) / period;
    if (percent > 0 && (into->cpu_percent == 0 || percent < into->cpu_percent)) {
        into->cpu_percent = (uint32_t)percent;
    }
}

// "200000 100000" or "max 100000".
static void look_at_cpu(const char *group, struct sp_doctor_group *into)
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

static void look_at_group(const char *group, struct sp_doctor_group *into)
{
    look_at_cpu(group, into);
    lower(&into->memory, number_in(group, "memory.max"));
    uint64_t memory = number_in(group, "memory.limit_in_bytes");
    lower(&into->memory, memory < AS_GOOD_AS_NO ? memory : SP_DOCTOR_UNLIMITED);
    uint64_t most = number_in(group, "pids.max");
    uint64_t now = number_in(group, "pids.current");
    if (most != SP_DOCTOR_UNLIMITED && now != SP_DOCTOR_UNLIMITED) {
        lower(&into->tasks, most > now ? most - now : 0);
    }
}

// ---- All of them --------------------------------------------------------------

// The group of that path and those above it, up to the mount itself.
static void walk(const char *mount, const char *path, struct sp_doctor_group *into)
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
static void look_at_line(const char *root, char *line, struct sp_doctor_group *into)
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

static bool
may_limit(const char *parent, const char *own, bool is_root, const char *controller)
{
    char text[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read(parent, "cgroup.subtree_control", text);
    if (sp_cgroup_names(text, controller)) {
        return true;
    }
    // It can be switched on, but not in a group that has processes itself, as ours has.
    sp_cgroup_read(parent, "cgroup.controllers", text);
    return sp_cgroup_names(text, controller) && (is_root || strcmp(parent, own) != 0);
}

static void
look_for_delegation(const char *mount, const char *path, struct sp_doctor_group *into)
{
    char parent[SP_CGROUP_PATH_MAX];
    group_path own;
    if (!sp_cgroup_delegated(mount, path, parent)) {
        return;
    }
    bool is_root = strcmp(parent, mount) == 0;
    (void)snprintf(own, sizeof own, "%s%s", mount, path);
    into->may_limit_memory = may_limit(parent, own, is_root, "memory");
    into->may_limit_cpu = may_limit(parent, own, is_root, "cpu");
}

void sp_doctor_look_at_groups(const char *root,
                              const char *own,
                              struct sp_doctor_group *group)
{
    char mount[SP_CGROUP_PATH_MAX];
    char path[SP_CGROUP_PATH_MAX];
    char lines[SP_CGROUP_TEXT_MAX];
    char *rest = NULL;
    *group = (struct sp_doctor_group){.memory = SP_DOCTOR_UNLIMITED,
                                      .tasks = SP_DOCTOR_UNLIMITED};
    sp_cgroup_mount(root, mount);
    group->is_v2 = sp_cgroup_own(own, path);
    if (group->is_v2) {
        walk(mount, path, group);
        look_for_delegation(mount, path, group);
    }
    (void)snprintf(lines, sizeof lines, "%s", own);
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        look_at_line(root, line, group);
    }
}
