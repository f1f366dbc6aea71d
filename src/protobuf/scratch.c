// SPDX-License-Identifier: MIT
// Blocks that double, so that many small pieces cost few requests.
#include "protobuf/scratch.h"

#include <string.h>

#include "base/memory.h"

#define ALIGN    16u
#define SMALLEST ((size_t)1024)
#define LARGEST  ((size_t)256 * 1024)

struct sp_scratch_block {
    struct sp_scratch_block *next;
    void *owned; // freed with it; or NULL
    size_t used;
    size_t size;
    _Alignas(ALIGN) uint8_t data[];
};

void sp_scratch_fini(struct sp_scratch *scratch)
{
    while (scratch->blocks != NULL) {
        struct sp_scratch_block *next = scratch->blocks->next;
        sp_free(scratch->blocks->owned);
        sp_free(scratch->blocks);
        scratch->blocks = next;
    }
    scratch->used = 0;
}

void sp_scratch_reset(struct sp_scratch *scratch)
{
    struct sp_scratch_block *first = scratch->blocks;
    if (first != NULL && first->owned == NULL && first->size == SMALLEST) {
        scratch->blocks = first->next;
        sp_scratch_fini(scratch);
        memset(first->data, 0, first->used);
        first->used = 0;
        first->next = NULL;
        scratch->blocks = first;
    } else {
        sp_scratch_fini(scratch);
    }
}

static struct sp_scratch_block *add_block(struct sp_scratch *scratch, size_t size)
{
    struct sp_scratch_block *block = sp_alloc(sizeof *block + size);
    if (block != NULL) {
        block->size = size;
        block->next = scratch->blocks;
        scratch->blocks = block;
    }
    return block;
}

// One that has room for so many bytes.
static struct sp_scratch_block *block_for(struct sp_scratch *scratch, size_t bytes)
{
    struct sp_scratch_block *block = scratch->blocks;
    if (block != NULL && bytes <= block->size - block->used) {
        return block;
    }
    size_t size =
        block == NULL || block->size < SMALLEST / 2 ? SMALLEST : block->size * 2;
    size = size > LARGEST ? LARGEST : size;
    return add_block(scratch, size < bytes ? bytes : size);
}

void *sp_scratch_take(struct sp_scratch *scratch, size_t bytes)
{
    const size_t most = scratch->limit == 0 ? PTRDIFF_MAX / 2 : scratch->limit;
    if (scratch->used > most || bytes > most - scratch->used) {
        return NULL;
    }
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct sp_scratch_block *block = block_for(scratch, bytes);
    if (block == NULL) {
        return NULL;
    }
    void *taken = block->data + block->used;
    block->used += bytes;
    scratch->used += bytes;
    return taken;
}

snakepit_err
sp_scratch_own(struct sp_scratch *scratch, struct sp_buf *buf, struct sp_slice *bytes)
{
    // Behind the one that has room, if there is one, so that its room is not lost.
    struct sp_scratch_block *first = scratch->blocks;
    struct sp_scratch_block *block = add_block(scratch, 0);
    if (block == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (first != NULL) {
        scratch->blocks = first;
        block->next = first->next;
        first->next = block;
    }
    block->owned = buf->data;
    *bytes = (struct sp_slice){buf->data, buf->size};
    *buf = (struct sp_buf){0};
    return SNAKEPIT_OK;
}
