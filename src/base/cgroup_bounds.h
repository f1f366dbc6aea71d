// SPDX-License-Identifier: MIT
// What the control groups of a process allow it, of both versions: each group above its
// own counts as well. A file that is not there limits nothing. Reads only.
#ifndef BASE_CGROUP_BOUNDS_H
#define BASE_CGROUP_BOUNDS_H

#include <stdint.h>

#define SP_UNBOUNDED UINT64_MAX

struct sp_cgroup_bounds {
    uint32_t cpu_percent;  // of one core; 0: no limit
    uint64_t memory;       // bytes
    uint32_t memory_usage; // percent, of the group that is nearest to its limit
    uint64_t tasks;        // processes and threads that may still come
};

// `root` is SP_CGROUP_ROOT and `own` the text of /proc/self/cgroup, unless this is a
// test.
void sp_cgroup_bounds(const char *root,
                      const char *own,
                      struct sp_cgroup_bounds *bounds);

#endif
