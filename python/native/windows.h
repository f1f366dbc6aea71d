// SPDX-License-Identifier: MIT
// Windows (ipc/layout.h): memory of the host's clients, which the service thread maps
// as the host says, and in which executors find tensors.
#ifndef NATIVE_WINDOWS_H
#define NATIVE_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/layout.h"

struct sp_runtime;

struct sp_windows {
    struct {
        _Atomic(const uint8_t *) base; // NULL: it is not mapped
        uint64_t size;
    } of[SP_WINDOWS_MAX];     // by their number, less 1
    _Atomic uint32_t changed; // a futex: counts what the host has said
};

// What the host says; `fds` stay the caller's. Service thread.
void sp_windows_map(struct sp_runtime *runtime,
                    const uint8_t *body,
                    size_t size,
                    const struct sp_packet_fds *fds);
void sp_windows_unmap(struct sp_runtime *runtime, const uint8_t *body, size_t size);

// Where a window is mapped, and its size; waits a while for one that is still to come.
// NULL: it has not come. A thread that is attached to the interpreter.
const uint8_t *
sp_windows_find(struct sp_runtime *runtime, uint32_t number, uint64_t *size);

#endif
