// SPDX-License-Identifier: MIT
// First fit over a sorted array of free ranges that are joined when they touch. Arenas
// hold few blocks at a time (large arguments and results), so the array stays short.
#include "ipc/arena.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/memory.h"

#define PAGE UINT64_C(4096)
// Memory kept for the next burst before it is given back at once.
#define RETAIN (UINT64_C(128) << 20)
// Given back in one go by a trim: a quarter of a millisecond.
#define STEP (UINT64_C(1) << 20)

// A free range. `dirty` is how much of it may still be backed by memory, at most its
// size.
struct sp_arena_extent {
    uint64_t offset;
    uint64_t size;
    uint64_t dirty;
};

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + SP_ARENA_ALIGN - 1) / SP_ARENA_ALIGN * SP_ARENA_ALIGN;
}

snakepit_err
sp_arena_init(struct sp_arena *arena, void *base, uint64_t start, uint64_t size)
{
    *arena = (struct sp_arena){.base = base, .start = rounded(start), .size = size};
    arena->retain = RETAIN;
    arena->room = 16;
    arena->extents = sp_alloc_array(arena->room, sizeof *arena->extents);
    if (arena->extents == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    SP_CHECK(arena->start < size);
    arena->extents[0] = (struct sp_arena_extent){arena->start, size - arena->start, 0};
    arena->count = 1;
    SP_CHECK(pthread_mutex_init(&arena->lock, NULL) == 0);
    return SNAKEPIT_OK;
}

void sp_arena_fini(struct sp_arena *arena)
{
    if (arena->extents != NULL) {
        pthread_mutex_destroy(&arena->lock);
        sp_free(arena->extents);
        arena->extents = NULL;
    }
}

static void remove_extent(struct sp_arena *arena, uint32_t index)
{
    arena->count--;
    memmove(&arena->extents[index],
            &arena->extents[index + 1],
            (arena->count - index) * sizeof *arena->extents);
}

// Freeing never needs heap memory: n blocks part at most n + 1 free ranges, and room
// for one more is made before a block is handed out.
static bool make_room(struct sp_arena *arena)
{
    if (arena->blocks + 3 <= arena->room) {
        return true;
    }
    uint32_t room = arena->room * 2;
    void *grown = sp_realloc(arena->extents, room * sizeof *arena->extents);
    if (grown == NULL) {
        return false;
    }
    arena->extents = grown;
    arena->room = room;
    return true;
}

static bool take_first_fit(struct sp_arena *arena, uint64_t bytes, uint64_t *offset)
{
    for (uint32_t i = 0; i < arena->count; i++) {
        struct sp_arena_extent *extent = &arena->extents[i];
        if (extent->size < bytes) {
            continue;
        }
        *offset = extent->offset;
        uint64_t clean = extent->dirty < bytes ? extent->dirty : bytes;
        extent->dirty -= clean;
        arena->dirty -= clean;
        arena->spare = arena->spare < arena->dirty ? arena->spare : arena->dirty;
        extent->offset += bytes;
        arena->top = arena->top > extent->offset ? arena->top : extent->offset;
        extent->size -= bytes;
        if (extent->size == 0) {
            remove_extent(arena, i);
        }
        arena->used += bytes;
        arena->blocks++;
        return true;
    }
    return false;
}

snakepit_err sp_arena_alloc(struct sp_arena *arena, uint64_t bytes, uint64_t *offset)
{
    if (bytes == 0 || bytes > arena->size) {
        return SNAKEPIT_NO_MEMORY;
    }
    pthread_mutex_lock(&arena->lock);
    bool taken = make_room(arena) && take_first_fit(arena, rounded(bytes), offset);
    pthread_mutex_unlock(&arena->lock);
    return taken ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// Gives the whole pages of a free range back. A failure only means that the memory
// stays.
static void punch(struct sp_arena *arena, uint64_t from, uint64_t to)
{
    uint64_t first = (from + PAGE - 1) / PAGE * PAGE;
    uint64_t last = to / PAGE * PAGE;
    if (first < last) {
        (void)madvise((uint8_t *)arena->base + first, last - first, MADV_REMOVE);
    }
}

// The first extent behind `offset`.
static uint32_t place_of(const struct sp_arena *arena, uint64_t offset)
{
    uint32_t low = 0;
    uint32_t high = arena->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (arena->extents[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool touches(const struct sp_arena_extent *left,
                    const struct sp_arena_extent *right)
{
    SP_CHECK(left->offset + left->size <= right->offset);
    return left->offset + left->size == right->offset;
}

static void join_next(struct sp_arena *arena, uint32_t index)
{
    if (index + 1 < arena->count &&
        touches(&arena->extents[index], &arena->extents[index + 1])) {
        arena->extents[index].size += arena->extents[index + 1].size;
        arena->extents[index].dirty += arena->extents[index + 1].dirty;
        remove_extent(arena, index + 1);
    }
}

static uint32_t insert(struct sp_arena *arena, uint64_t offset, uint64_t bytes)
{
    uint32_t index = place_of(arena, offset);
    SP_CHECK(arena->count < arena->room);
    memmove(&arena->extents[index + 1],
            &arena->extents[index],
            (arena->count - index) * sizeof *arena->extents);
    arena->extents[index] = (struct sp_arena_extent){offset, bytes, bytes};
    arena->count++;
    join_next(arena, index);
    if (index > 0) {
        join_next(arena, index - 1);
        index = place_of(arena, offset + 1) - 1;
    }
    return index;
}

void sp_arena_free(struct sp_arena *arena, uint64_t offset, uint64_t bytes)
{
    bytes = rounded(bytes);
    pthread_mutex_lock(&arena->lock);
    SP_CHECK(offset >= arena->start && bytes <= arena->size &&
             offset <= arena->size - bytes);
    SP_CHECK(arena->used >= bytes && arena->blocks > 0);
    arena->used -= bytes;
    arena->blocks--;
    arena->dirty += bytes;
    uint32_t index = insert(arena, offset, bytes);
    if (arena->dirty > arena->retain) {
        struct sp_arena_extent *extent = &arena->extents[index];
        punch(arena, extent->offset, extent->offset + extent->size);
        arena->dirty -= extent->dirty;
        arena->spare = arena->spare < arena->dirty ? arena->spare : arena->dirty;
        extent->dirty = 0;
    }
    pthread_mutex_unlock(&arena->lock);
}

// The next step of a trim, from *at on; false: there is nothing free behind it.
static bool trim_step(struct sp_arena *arena, uint64_t *at)
{
    pthread_mutex_lock(&arena->lock);
    uint32_t index = place_of(arena, *at);
    if (index > 0 &&
        arena->extents[index - 1].offset + arena->extents[index - 1].size > *at) {
        index--;
    }
    bool found = index < arena->count && *at < arena->top;
    if (found) {
        const struct sp_arena_extent *extent = &arena->extents[index];
        uint64_t from = extent->offset > *at ? extent->offset : *at;
        uint64_t step = (from + STEP) / PAGE * PAGE;
        uint64_t end = extent->offset + extent->size;
        *at = step < end ? step : end;
        punch(arena, from, *at);
    }
    pthread_mutex_unlock(&arena->lock);
    return found;
}

void sp_arena_trim(struct sp_arena *arena)
{
    pthread_mutex_lock(&arena->lock);
    // First, so that what is freed meanwhile counts as dirty, whether or not a later
    // step finds it.
    for (uint32_t i = 0; i < arena->count; i++) {
        arena->extents[i].dirty = 0;
    }
    arena->dirty = 0;
    arena->spare = 0;
    pthread_mutex_unlock(&arena->lock);
    uint64_t at = arena->start;
    while (trim_step(arena, &at)) {
    }
}

void sp_arena_tidy(struct sp_arena *arena)
{
    pthread_mutex_lock(&arena->lock);
    bool spare = arena->spare > 0;
    arena->spare = arena->dirty;
    pthread_mutex_unlock(&arena->lock);
    if (spare) {
        sp_arena_trim(arena);
    }
}

uint64_t sp_arena_used(struct sp_arena *arena)
{
    pthread_mutex_lock(&arena->lock);
    uint64_t used = arena->used;
    pthread_mutex_unlock(&arena->lock);
    return used;
}
