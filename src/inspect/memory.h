// SPDX-License-Identifier: MIT
// The memory of another process, read from outside while it runs: it is neither stopped
// nor asked, and notices nothing. What is read may be of several moments, and anything
// at all: whoever uses it checks it, and bounds how far it follows it.
#ifndef INSPECT_MEMORY_H
#define INSPECT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SP_MEMORY_BLOCK  4096u
#define SP_MEMORY_BLOCKS 32u

// Reads `size` bytes from an address of the other process. 0 or an errno.
typedef int sp_memory_fn(void *user, uint64_t address, void *room, size_t size);

// The block at an address, as it was when it was read.
struct sp_memory_block {
    uint64_t address; // UINT64_MAX: nothing was read
    uint8_t bytes[SP_MEMORY_BLOCK];
};

// Owner: one thread. Large: for the heap.
struct sp_memory {
    sp_memory_fn *read;
    void *user;
    uint64_t until; // CLOCK_MONOTONIC ns: later nothing is read
    int failed;     // errno of the last read that failed; ETIME: that time had come
    struct sp_memory_block blocks[SP_MEMORY_BLOCKS];
};

// Reads the memory of a process that the kernel lets this one trace: with `user` a
// pointer to its number. EPERM: it does not. ESRCH: the process is gone. ENOSYS: the
// kernel cannot.
int sp_memory_of_process(void *user, uint64_t address, void *room, size_t size);

void sp_memory_init(struct sp_memory *memory,
                    sp_memory_fn *read,
                    void *user,
                    uint64_t until);
// The next look at an address is a new one.
void sp_memory_forget(struct sp_memory *memory);

// Copies `size` bytes, from blocks that were read before where there are any. False:
// not all of it can be read.
bool sp_memory_copy(struct sp_memory *memory,
                    uint64_t address,
                    void *room,
                    size_t size);
// A pointer. False, with 0: it cannot be read.
bool sp_memory_pointer(struct sp_memory *memory, uint64_t address, uint64_t *pointer);

#endif
