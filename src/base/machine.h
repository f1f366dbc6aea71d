// SPDX-License-Identifier: MIT
// How much of processors and memory this process may use, and how much of the memory is
// in use: the machine's, or less where control groups say so.
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdint.h>

#include "base/cgroup_bounds.h"

struct sp_machine {
    uint32_t cpu_percent;  // a whole core is 100
    uint64_t memory;       // bytes; 0: not known
    uint32_t memory_usage; // percent, by all who share it
};

// `cores`: that this process may use. Reads a dozen small files.
void sp_machine_look(uint32_t cores, struct sp_machine *machine);
// Of the text of /proc/meminfo and what control groups allow.
void sp_machine_judge(uint32_t cores,
                      const char *meminfo,
                      const struct sp_cgroup_bounds *bounds,
                      struct sp_machine *machine);

#endif
