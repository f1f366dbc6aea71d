// SPDX-License-Identifier: MIT
// The worker's side of shared memory, as the rest of the extension sees it. One per
// process.
#ifndef NATIVE_RUNTIME_H
#define NATIVE_RUNTIME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "ipc/layout.h"

struct sp_runtime; // state.h

// Read-only memory of `*size` bytes in which tensors of arguments lie: the requests
// segment (0) or a window. NULL: it is not mapped, and has not been within seconds. Any
// thread that is attached to the interpreter.
const uint8_t *
sp_runtime_memory(struct sp_runtime *runtime, uint32_t window, uint64_t *size);
// The results segment, writable.
uint8_t *sp_runtime_results(struct sp_runtime *runtime, uint64_t *size);

// A block in the results arena, aligned to SP_ARENA_ALIGN. NO_MEMORY after leases that
// the host has returned were collected. Any thread, attached to the interpreter or not.
snakepit_err
sp_runtime_alloc(struct sp_runtime *runtime, uint64_t bytes, uint64_t *offset);
void sp_runtime_free(struct sp_runtime *runtime, uint64_t offset, uint64_t bytes);

// The tensors of one call's arguments: shared by the executor that runs it and by every
// view that Python still holds. Owner: whoever has a reference; counted atomically.
struct sp_lease {
    _Atomic uint32_t refs;
    uint32_t
        number; // SP_NO_LEASE: the call has no tensors and there is nothing to return
    struct sp_runtime *runtime;
};

// With one reference. NULL: no memory; whoever asked still holds the number.
struct sp_lease *sp_lease_new(struct sp_runtime *runtime, uint32_t number);
// Tells the host that the tensors behind a number are free. Any thread.
void sp_lease_return(struct sp_runtime *runtime, uint32_t number);

static inline void sp_lease_ref(struct sp_lease *lease)
{
    atomic_fetch_add_explicit(&lease->refs, 1, memory_order_relaxed);
}

// Drops one reference. The last one tells the host that the tensors are free. Any
// thread, attached to the interpreter or not.
void sp_lease_unref(struct sp_lease *lease);

#endif
