// SPDX-License-Identifier: MIT
// A control group (cgroup v2) for each worker whose pool limits memory or processor
// time, below one that was delegated to the host. Loop thread, but for
// sp_cgroup_check().
#ifndef PROCESS_CGROUP_H
#define PROCESS_CGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <snakepit/payload.h>

#include "base/cgroup_tree.h"

struct sp_cgroup_limits {
    uint64_t memory_max; // bytes; 0: no limit
    uint32_t cpu_max;    // percent of one core; 0: no limit
};

// The group of one worker; an empty path: it has none. Zero-initialised is empty.
struct sp_cgroup {
    char path[SP_CGROUP_PATH_MAX];
};

// Where the host may make groups that can be limited so: its own group's parent, or its
// own group, if systemd or an administrator has delegated it. `root` is SP_CGROUP_ROOT,
// `own` the text of /proc/self/cgroup. UNSUPPORTED: `why` names the key, what is
// missing and the remedy.
snakepit_err sp_cgroup_find(const char *root,
                            const char *own,
                            const struct sp_cgroup_limits *limits,
                            char parent[SP_CGROUP_PATH_MAX],
                            snakepit_message *why);

// As sp_cgroup_find() on this machine, for the answer alone. OK where nothing is
// limited.
snakepit_err sp_cgroup_check(const struct sp_cgroup_limits *limits,
                             snakepit_message *why);

// Makes a group below `parent`, limits it and moves the process into it. SYSTEM: `why`
// says which file refused what; the group is gone again.
snakepit_err sp_cgroup_enter(struct sp_cgroup *group,
                             const char *parent,
                             pid_t pid,
                             const struct sp_cgroup_limits *limits,
                             snakepit_message *why);

// Both on this machine, for a process that runs no user code yet. OK without a group
// where nothing is limited. UNSUPPORTED, SYSTEM.
snakepit_err sp_cgroup_confine(struct sp_cgroup *group,
                               pid_t pid,
                               const struct sp_cgroup_limits *limits,
                               snakepit_message *why);

// Kills whatever is in the group, in whichever session or process group it is.
void sp_cgroup_kill(const struct sp_cgroup *group);

// Removes the group, after everything in it was killed. Waits for them for at most 100
// ms.
void sp_cgroup_remove(struct sp_cgroup *group);

#endif
