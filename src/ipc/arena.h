// SPDX-License-Identifier: MIT
// Hands out ranges of a segment. All bookkeeping is private to the side that owns the
// arena; nothing of it lies in shared memory. The segment is as large as it may ever
// become, but the kernel gives it memory only where it was touched, and the arena gives
// that back.
#ifndef IPC_ARENA_H
#define IPC_ARENA_H

#include <pthread.h>
#include <stdint.h>

#include <snakepit/errors.h>

struct sp_arena_extent; // a free range, see arena.c

// Guarded by its own mutex: any thread.
struct sp_arena {
    pthread_mutex_t lock;
    void *base;      // where the segment is mapped, writable
    uint64_t start;  // first offset handed out
    uint64_t size;   // end of the segment
    uint64_t used;   // bytes handed out
    uint64_t dirty;  // bytes free but still backed by memory
    uint64_t spare;  // the least that `dirty` was since sp_arena_tidy()
    uint64_t top;    // end of the highest range that was ever handed out
    uint64_t retain; // `dirty` may grow to this before memory is given back
    struct sp_arena_extent *extents; // sorted by offset, never two that touch
    uint32_t count;                  // of extents
    uint32_t room;                   // for extents
    uint32_t blocks;                 // handed out
};

#define SP_ARENA_ALIGN 64u // every offset and every size is a multiple of it

// The arena hands out [start, size) of the segment mapped at `base`, which it borrows
// for life. NO_MEMORY.
snakepit_err
sp_arena_init(struct sp_arena *arena, void *base, uint64_t start, uint64_t size);
void sp_arena_fini(struct sp_arena *arena);

// `bytes` (at least 1; rounded up to SP_ARENA_ALIGN) at *offset, content unset.
// NO_MEMORY: no range is that large, or the heap is exhausted.
snakepit_err sp_arena_alloc(struct sp_arena *arena, uint64_t bytes, uint64_t *offset);
// Gives a range back: exactly one that was handed out, with the size it was asked for.
void sp_arena_free(struct sp_arena *arena, uint64_t offset, uint64_t bytes);
// Gives all free memory back to the kernel. Takes tens of milliseconds where that is
// much, but holds the lock only for a part of one at a time.
void sp_arena_trim(struct sp_arena *arena);
// Trims if some of the free memory was not needed since the last time. Call it now and
// then, from where nobody waits.
void sp_arena_tidy(struct sp_arena *arena);
// Bytes handed out now.
uint64_t sp_arena_used(struct sp_arena *arena);

#endif
