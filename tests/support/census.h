// SPDX-License-Identifier: MIT
// What a process holds: descriptors and children. A test takes a census before and
// after.
#ifndef SUPPORT_CENSUS_H
#define SUPPORT_CENSUS_H

#include <stdint.h>
#include <sys/types.h>

// Plain data.
struct census {
    uint32_t descriptors;
    uint32_t children; // zombies included
    uint64_t mappings; // lines of /proc/self/maps that name a memfd of the library
};

struct census census_take(void);

// The first `most` children of this process, in no order. Gives their number.
uint32_t census_children(pid_t *pids, uint32_t most);

// Mappings of the library's memfds in a process: every worker has some.
uint64_t census_mappings_of(pid_t pid);
// The descriptors that a process has open.
uint32_t census_descriptors_of(pid_t pid);

// Sends `signal` to a child of this process, and only to a child. False: it is none
// (any more).
int census_signal_child(pid_t pid, int signal);

// The number in an environment variable, or `otherwise`.
uint32_t census_variable(const char *name, uint32_t otherwise);

#endif
