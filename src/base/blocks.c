// SPDX-License-Identifier: MIT
// Lists of free blocks, by size. Where addresses are checked none is kept, so that the
// checker sees whoever looks at a block that it has given back.
#include "base/blocks.h"

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEPT 0u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEPT 0u
#endif
#endif
#ifndef KEPT
#define KEPT SP_BLOCK_KEPT
#endif

// Where blocks of a size are kept, if it is not too large.
static size_t place_of(size_t size)
{
    return size == 0 ? 1 : (size + SP_BLOCK_STEP - 1) / SP_BLOCK_STEP;
}

static void *pop(struct sp_blocks *blocks, size_t place)
{
    struct sp_block *block = blocks->first[place];
    if (block != NULL) {
        blocks->first[place] = block->next;
        blocks->kept -= place * SP_BLOCK_STEP;
    }
    return block;
}

void *sp_blocks_take(struct sp_blocks *blocks, size_t size)
{
    if (size > SP_BLOCK_MOST) {
        return sp_realloc(NULL, size);
    }
    const size_t place = place_of(size);
    void *block = pop(blocks, place);
    return block != NULL ? block : sp_realloc(NULL, place * SP_BLOCK_STEP);
}

void sp_blocks_give(struct sp_blocks *blocks, void *block, size_t size)
{
    const size_t place = place_of(size);
    if (block == NULL || size > SP_BLOCK_MOST ||
        blocks->kept + place * SP_BLOCK_STEP > KEPT) {
        sp_free(block);
        return;
    }
    struct sp_block *kept = block;
    kept->next = blocks->first[place];
    blocks->first[place] = kept;
    blocks->kept += place * SP_BLOCK_STEP;
}

void sp_blocks_lend(struct sp_blocks *blocks, struct sp_buf *buf, size_t capacity)
{
    if (buf->data == NULL && capacity <= SP_BLOCK_MOST) {
        buf->data = pop(blocks, place_of(capacity));
        buf->capacity = buf->data == NULL ? 0 : capacity;
    }
}

void sp_blocks_take_back(struct sp_blocks *blocks, struct sp_buf *buf)
{
    if (buf->data != NULL && buf->capacity % SP_BLOCK_STEP == 0) {
        sp_blocks_give(blocks, buf->data, buf->capacity);
        buf->data = NULL;
    }
    sp_buf_fini(buf);
}

void sp_blocks_fini(struct sp_blocks *blocks)
{
    for (size_t place = 0; place <= SP_BLOCK_MOST / SP_BLOCK_STEP; place++) {
        for (void *block = pop(blocks, place); block != NULL;
             block = pop(blocks, place)) {
            sp_free(block);
        }
    }
}
