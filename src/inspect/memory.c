// SPDX-License-Identifier: MIT
// Frames and code objects lie close together, so whole blocks are read and kept for a
// moment: one system call serves many looks.
#include "inspect/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"

#define NOWHERE UINT64_MAX

int sp_memory_of_process(void *user, uint64_t address, void *room, size_t size)
{
    const pid_t *pid = user;
    const struct iovec here = {.iov_base = room, .iov_len = size};
    const struct iovec there = {.iov_base = (void *)(uintptr_t)address,
                                .iov_len = size};
    ssize_t done = process_vm_readv(*pid, &here, 1, &there, 1, 0);
    if (done < 0) {
        return errno;
    }
    return (size_t)done == size ? 0 : EFAULT;
}

void sp_memory_init(struct sp_memory *memory,
                    sp_memory_fn *read,
                    void *user,
                    uint64_t until)
{
    memory->read = read;
    memory->user = user;
    memory->until = until;
    memory->failed = 0;
    sp_memory_forget(memory);
}

void sp_memory_forget(struct sp_memory *memory)
{
    for (uint32_t i = 0; i < SP_MEMORY_BLOCKS; i++) {
        memory->blocks[i].address = NOWHERE;
    }
}

// The block that begins at an address; NULL: it cannot be read.
static const uint8_t *block_at(struct sp_memory *memory, uint64_t address)
{
    struct sp_memory_block *block =
        &memory->blocks[address / SP_MEMORY_BLOCK % SP_MEMORY_BLOCKS];
    if (block->address == address) {
        return block->bytes;
    }
    block->address = NOWHERE;
    int failed =
        sp_clock_now() >= memory->until
            ? ETIME
            : memory->read(memory->user, address, block->bytes, SP_MEMORY_BLOCK);
    if (failed != 0) {
        memory->failed = failed;
        return NULL;
    }
    block->address = address;
    return block->bytes;
}

bool sp_memory_copy(struct sp_memory *memory, uint64_t address, void *room, size_t size)
{
    uint8_t *to = room;
    if (address > NOWHERE - SP_MEMORY_BLOCK ||
        size > NOWHERE - SP_MEMORY_BLOCK - address) {
        memory->failed = EFAULT;
        return false;
    }
    while (size > 0) {
        size_t within = address % SP_MEMORY_BLOCK;
        size_t bytes = SP_MEMORY_BLOCK - within;
        const uint8_t *block = block_at(memory, address - within);
        bytes = bytes < size ? bytes : size;
        if (block == NULL) {
            return false;
        }
        memcpy(to, block + within, bytes);
        to += bytes;
        address += bytes;
        size -= bytes;
    }
    return true;
}

bool sp_memory_pointer(struct sp_memory *memory, uint64_t address, uint64_t *pointer)
{
    *pointer = 0;
    return sp_memory_copy(memory, address, pointer, sizeof *pointer);
}
