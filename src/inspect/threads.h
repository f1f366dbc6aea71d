// SPDX-License-Identifier: MIT
// What the kernel says of the threads of a process.
#ifndef INSPECT_THREADS_H
#define INSPECT_THREADS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What a thread of the process does: the letter of /proc/PID/task/TID/stat, such as
// 'R', 'S', 'D' or 'T'. 0: the process has no such thread, or it cannot be known.
// `pid` is the process as /proc names it.
char sp_threads_state(pid_t pid, uint64_t thread);
// That in words, for people: "running", "sleeping", "waiting for a device", "stopped",
// "stopped by a debugger", "dead"; of another one "unknown". Constant.
const char *sp_threads_state_name(char state);
// How many threads of a process compute beside the `count` ones in `known`: each has
// used a tenth of the processor time that the busiest of `known` has, or more. 0 also
// where that has used less than 0.2 s, or nothing can be known. Of a process with very
// many threads some are looked at.
uint32_t sp_threads_computing(pid_t pid, const uint64_t *known, size_t count);

#endif
