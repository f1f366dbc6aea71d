// SPDX-License-Identifier: MIT
// Processes that user code forks. One that comes back from the tool that forked it
// finds itself an executor of a worker that it is not: it would answer the call a
// second time and go on to take others.
#ifndef NATIVE_FORKS_H
#define NATIVE_FORKS_H

#include <stdbool.h>
#include <stdint.h>

extern bool sp_forks_is_child; // constant in each process

// From here on children of this process know that they are. Once per process.
int sp_forks_watch(void);

// Prints what happened and ends the process. `tool` has `size` bytes.
_Noreturn void sp_forks_leave(const uint8_t *tool, uint32_t size);

// After user code has run, before anything is written where the host reads.
static inline void sp_forks_check(const uint8_t *tool, uint32_t size)
{
    if (sp_forks_is_child) {
        sp_forks_leave(tool, size);
    }
}

#endif
