// SPDX-License-Identifier: MIT
// Why a process has ended, in words, as early as it can be known.
#ifndef WORKER_CAUSE_H
#define WORKER_CAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/layout.h"
#include "worker/oom.h"

// How it ended. Plain data.
struct sp_exit {
    int known;  // 0: the kernel has not said yet, or never will
    int gone;   // 1: there is no such child any more; somebody else has reaped it
    int code;   // its exit status, where `signal` is 0
    int signal; // what killed it, or 0
    enum sp_fault fault; // what it says that it may die of
};

// Looks without reaping: at the process itself, else at what /proc says of one that is
// still giving back its memory.
struct sp_exit sp_exit_peek(pid_t pid);
// Whether a worker's process lives and runs another program: it has memory, and none of
// it is ours. False where that cannot be seen.
bool sp_exit_is_replaced(pid_t pid);
// Reaps. Not known: it runs still, or was no child.
struct sp_exit sp_exit_reap(pid_t pid);

// Writes one sentence: "exited with status 3", "killed by signal 9 (SIGKILL)", "killed
// by us because ...", "killed by the kernel: out of memory". `because` is NULL unless
// we killed it. `memory` counts only for a SIGKILL.
void sp_exit_describe(const struct sp_exit *end,
                      const char *because,
                      enum sp_oom memory,
                      char *room,
                      size_t size);

#endif
