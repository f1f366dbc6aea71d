// SPDX-License-Identifier: MIT
#include "base/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/cgroup_tree.h"

#define PERCENT 100u
#define KIB     1024u

// "MemTotal:  16384 kB", in bytes; 0: it is not there.
static uint64_t bytes_in(const char *meminfo, const char *key)
{
    const char *line = strstr(meminfo, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10) * KIB;
}

void sp_machine_judge(uint32_t cores,
                      const char *meminfo,
                      const struct sp_cgroup_bounds *bounds,
                      struct sp_machine *machine)
{
    uint64_t all = bytes_in(meminfo, "MemTotal:");
    uint64_t free = bytes_in(meminfo, "MemAvailable:");
    uint64_t used = all > free ? all - free : 0;
    uint32_t quota = bounds->cpu_percent;
    *machine = (struct sp_machine){.cpu_percent = cores * PERCENT, .memory = all};
    if (quota != 0 && quota < machine->cpu_percent) {
        machine->cpu_percent = quota;
    }
    if (bounds->memory != SP_UNBOUNDED && (all == 0 || bounds->memory < all)) {
        machine->memory = bounds->memory;
    }
    machine->memory_usage = all == 0 ? 0 : (uint32_t)(used * PERCENT / all);
    if (bounds->memory_usage > machine->memory_usage) {
        machine->memory_usage = bounds->memory_usage;
    }
}

void sp_machine_look(uint32_t cores, struct sp_machine *machine)
{
    char own[SP_CGROUP_TEXT_MAX];
    char meminfo[SP_CGROUP_TEXT_MAX];
    struct sp_cgroup_bounds bounds;
    sp_cgroup_read("/proc/self", "cgroup", own);
    sp_cgroup_read("/proc", "meminfo", meminfo);
    sp_cgroup_bounds(SP_CGROUP_ROOT, own, &bounds);
    sp_machine_judge(cores, meminfo, &bounds, machine);
}
