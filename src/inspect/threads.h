// SPDX-License-Identifier: MIT
// What the kernel says of the threads of a process.
#ifndef INSPECT_THREADS_H
#define INSPECT_THREADS_H

#include <stdint.h>
#include <sys/types.h>

// What a thread of the process does: the letter of /proc/PID/task/TID/stat, such as
// 'R', 'S', 'D' or 'T'. 0: the process has no such thread, or it cannot be known.
// `pid` is the process as /proc names it.
char sp_threads_state(pid_t pid, uint64_t thread);
// That in words, for people: "running", "sleeping", "waiting for a device", "stopped",
// "stopped by a debugger", "dead"; of another one "unknown". Constant.
const char *sp_threads_state_name(char state);

#endif
