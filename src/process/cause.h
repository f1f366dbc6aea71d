// SPDX-License-Identifier: MIT
// Why a process has ended, in words, as early as it can be known.
#ifndef PROCESS_CAUSE_H
#define PROCESS_CAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pidfd.h"
#include "ipc/layout.h"
#include "process/oom.h"
#include "telemetry/notice.h"

// How it ended. Plain data.
struct sp_exit {
    int known;  // 0: the kernel has not said yet, or never will
    int gone;   // 1: there is no such child any more; somebody else has reaped it
    int code;   // its exit status, where `signal` is 0
    int signal; // what killed it, or 0
    enum sp_fault fault; // what it says it may be dying of
    int served;          // 1: it could take calls, so it does not exit by itself
};

// Looks without reaping: at the process itself, else at what the kernel remembers of
// one that somebody else has reaped, else at what /proc says of one that is still
// giving back its memory. What cannot be seen is not known.
struct sp_exit sp_exit_peek(struct sp_child child);
// Whether a worker's process lives and runs another program: it has memory, and none of
// it is ours. False where that cannot be seen.
bool sp_exit_is_replaced(struct sp_child child);
// Reaps. Not known: it still runs, or is not ours to reap.
struct sp_exit sp_exit_reap(struct sp_child child);

// The status and the signal of `end`, for the log: left out where there is none.
static inline uint64_t sp_exit_code_told(const struct sp_exit *end)
{
    return end->known && end->signal == 0 ? (uint64_t)end->code : (uint64_t)SP_UNTOLD;
}

static inline uint64_t sp_exit_signal_told(const struct sp_exit *end)
{
    return end->known && end->signal != 0 ? (uint64_t)end->signal : (uint64_t)SP_UNTOLD;
}

// Writes one sentence: "exited with status 3", "killed by signal 9 (SIGKILL)", "killed
// by us because ...", "killed by the kernel: out of memory". `because` is NULL unless
// we killed it. `memory` counts only for a SIGKILL.
void sp_exit_describe(const struct sp_exit *end,
                      const char *because,
                      enum sp_oom memory,
                      char *room,
                      size_t size);

#endif
