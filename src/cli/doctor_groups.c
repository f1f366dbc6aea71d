// SPDX-License-Identifier: MIT
// What control groups allow, and whether there can be some of our own.
#include <stdio.h>
#include <string.h>

#include "base/cgroup_bounds.h"
#include "base/cgroup_tree.h"
#include "cli/doctor.h"

_Static_assert(SP_UNBOUNDED == SP_DOCTOR_UNLIMITED, "the same number");

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
    char own[2 * SP_CGROUP_PATH_MAX];
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
    struct sp_cgroup_bounds bounds;
    sp_cgroup_bounds(root, own, &bounds);
    *group = (struct sp_doctor_group){.cpu_percent = bounds.cpu_percent,
                                      .memory = bounds.memory,
                                      .tasks = bounds.tasks,
                                      .is_v2 = sp_cgroup_own(own, path)};
    sp_cgroup_mount(root, mount);
    if (group->is_v2) {
        look_for_delegation(mount, path, group);
    }
}
