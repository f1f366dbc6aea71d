// SPDX-License-Identifier: MIT
// Small blocks of memory that are used again. What one request frees the next one
// wants, and the heap takes its time for either.
#ifndef BASE_BLOCKS_H
#define BASE_BLOCKS_H

#include <stddef.h>

#include "base/slice.h"

#define SP_BLOCK_STEP 64u                   // bytes from one size to the next
#define SP_BLOCK_MOST 1024u                 // bytes of the largest that are kept
#define SP_BLOCK_KEPT ((size_t)1024 * 1024) // bytes of all that are

// One that is kept.
struct sp_block {
    struct sp_block *next;
};

// Zeroed, none is kept. Owner: one thread; no lock.
struct sp_blocks {
    struct sp_block *first[SP_BLOCK_MOST / SP_BLOCK_STEP + 1]; // by size
    size_t kept;
};

// At least so many bytes, not zeroed, aligned for anything, which sp_free() frees as
// well. NULL: no memory.
void *sp_blocks_take(struct sp_blocks *blocks, size_t size);
// One that was taken with that size. NULL is fine.
void sp_blocks_give(struct sp_blocks *blocks, void *block, size_t size);
// A buffer without memory gets `capacity` bytes if there is such a block; else it stays
// as it is, and grows as any other does.
void sp_blocks_lend(struct sp_blocks *blocks, struct sp_buf *buf, size_t capacity);
// Empties a buffer, whose memory was lent or not.
void sp_blocks_take_back(struct sp_blocks *blocks, struct sp_buf *buf);
// Frees what is kept.
void sp_blocks_fini(struct sp_blocks *blocks);

#endif
