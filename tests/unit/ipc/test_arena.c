// SPDX-License-Identifier: MIT
#include "ipc/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ipc/segment.h"

#define SIZE  (UINT64_C(4) << 20)
#define START 2048u
#define MIB   (UINT64_C(1) << 20)

static struct sp_segment segment;
static struct sp_arena arena;

static int open_arena(void **state)
{
    (void)state;
    assert_int_equal(sp_segment_create(&segment, "test-arena", SIZE, true, NULL),
                     SNAKEPIT_OK);
    assert_int_equal(sp_arena_init(&arena, segment.base, START, SIZE), SNAKEPIT_OK);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    sp_arena_fini(&arena);
    sp_segment_fini(&segment);
    return 0;
}

static uint64_t memory_in_use(void)
{
    struct stat status;
    assert_int_equal(fstat(segment.fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static uint64_t alloc(uint64_t bytes)
{
    uint64_t offset = 0;
    assert_int_equal(sp_arena_alloc(&arena, bytes, &offset), SNAKEPIT_OK);
    return offset;
}

static void ranges_are_aligned_and_begin_behind_the_start(void **state)
{
    (void)state;
    uint64_t first = alloc(1);
    uint64_t second = alloc(65);
    uint64_t third = alloc(1);
    assert_int_equal(first, START);
    assert_int_equal(second, START + 64);
    assert_int_equal(third, START + 64 + 128);
    assert_int_equal(sp_arena_used(&arena), 64 + 128 + 64);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    uint64_t offset = 5;
    assert_int_equal(sp_arena_alloc(&arena, 0, &offset), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_arena_alloc(&arena, SIZE, &offset), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_arena_alloc(&arena, UINT64_MAX, &offset), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_arena_alloc(&arena, UINT64_MAX - 63, &offset),
                     SNAKEPIT_NO_MEMORY);
    assert_int_equal(offset, 5);
    assert_int_equal(sp_arena_used(&arena), 0);
}

static void all_of_it_can_be_had_at_once_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint64_t offset = alloc(SIZE - START);
        uint64_t none;
        assert_int_equal(sp_arena_alloc(&arena, 1, &none), SNAKEPIT_NO_MEMORY);
        sp_arena_free(&arena, offset, SIZE - START);
    }
}

static void neighbours_join_in_whatever_order_they_are_freed(void **state)
{
    (void)state;
    static const int orders[6][3] = {
        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++) {
        uint64_t offsets[3] = {alloc(MIB), alloc(MIB), alloc(MIB)};
        for (int j = 0; j < 3; j++) {
            sp_arena_free(&arena, offsets[orders[i][j]], MIB);
        }
        assert_int_equal(arena.count, 1);
        sp_arena_free(&arena, alloc(SIZE - START), SIZE - START);
    }
}

static void freed_memory_goes_back_to_the_kernel(void **state)
{
    (void)state;
    uint64_t keep = alloc(MIB);
    uint64_t give = alloc(2 * MIB);
    memset(segment.base + keep, 1, MIB);
    memset(segment.base + give, 1, 2 * MIB);
    assert_true(memory_in_use() >= 3 * MIB);
    sp_arena_free(&arena, give, 2 * MIB);
    // It is kept for the next burst, until somebody asks.
    assert_true(memory_in_use() >= 3 * MIB);
    sp_arena_trim(&arena);
    assert_true(memory_in_use() <= MIB + 3 * 4096);
    assert_int_equal(segment.base[keep], 1);
    assert_int_equal(segment.base[keep + MIB - 1], 1);
}

static void more_than_what_is_retained_goes_back_by_itself(void **state)
{
    (void)state;
    arena.retain = MIB;
    uint64_t first = alloc(MIB);
    uint64_t second = alloc(2 * MIB);
    memset(segment.base + first, 1, 3 * MIB);
    sp_arena_free(&arena, first, MIB);
    assert_true(memory_in_use() >= 3 * MIB);
    sp_arena_free(&arena, second, 2 * MIB);
    assert_true(memory_in_use() <= 2 * 4096);
    assert_int_equal(arena.dirty, 0);
}

static void what_nobody_needed_goes_back_at_the_second_tidying(void **state)
{
    (void)state;
    uint64_t first = alloc(MIB);
    uint64_t second = alloc(2 * MIB);
    memset(segment.base + first, 1, 3 * MIB);
    sp_arena_free(&arena, first, MIB);
    sp_arena_free(&arena, second, 2 * MIB);
    sp_arena_tidy(&arena); // it was needed until just now
    assert_true(memory_in_use() >= 3 * MIB);
    sp_arena_tidy(&arena);
    assert_true(memory_in_use() <= 2 * 4096);
    assert_int_equal(arena.dirty, 0);
}

static void what_is_needed_again_and_again_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        uint64_t offset = alloc(2 * MIB);
        memset(segment.base + offset, 1, 2 * MIB);
        sp_arena_free(&arena, offset, 2 * MIB);
        sp_arena_tidy(&arena);
        assert_true(memory_in_use() >= 2 * MIB);
    }
}

static void a_burst_on_top_of_what_is_needed_goes_back(void **state)
{
    (void)state;
    uint64_t burst = alloc(3 * MIB);
    memset(segment.base + burst, 1, 3 * MIB);
    sp_arena_free(&arena, burst, 3 * MIB);
    for (int i = 0; i < 3; i++) {
        uint64_t offset = alloc(MIB);
        memset(segment.base + offset, 1, MIB);
        sp_arena_free(&arena, offset, MIB);
        sp_arena_tidy(&arena);
    }
    assert_true(memory_in_use() >= MIB - 4096);
    assert_true(memory_in_use() <= MIB + 2 * 4096);
}

static void memory_between_blocks_that_live_goes_back(void **state)
{
    (void)state;
    uint64_t blocks[8];
    for (int i = 0; i < 8; i++) {
        blocks[i] = alloc(MIB / 4);
        memset(segment.base + blocks[i], i + 1, MIB / 4);
    }
    for (int i = 0; i < 8; i += 2) {
        sp_arena_free(&arena, blocks[i], MIB / 4);
    }
    sp_arena_trim(&arena);
    assert_true(memory_in_use() <= MIB + 10 * 4096);
    for (int i = 1; i < 8; i += 2) {
        assert_int_equal(segment.base[blocks[i]], i + 1);
        assert_int_equal(segment.base[blocks[i] + MIB / 4 - 1], i + 1);
    }
}

// ---- Against a model ----------------------------------------------------------

#define BLOCKS 64

struct block {
    uint64_t offset;
    uint64_t bytes;
};

static uint64_t up(uint64_t bytes)
{
    return (bytes + SP_ARENA_ALIGN - 1) / SP_ARENA_ALIGN * SP_ARENA_ALIGN;
}

static void check_block(const struct block *blocks, const struct block *made)
{
    assert_true(made->offset >= START && made->offset % SP_ARENA_ALIGN == 0);
    assert_true(made->offset + up(made->bytes) <= SIZE);
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].bytes != 0 && &blocks[i] != made) {
            assert_true(blocks[i].offset + up(blocks[i].bytes) <= made->offset ||
                        made->offset + up(made->bytes) <= blocks[i].offset);
        }
    }
}

static uint64_t used_by(const struct block *blocks)
{
    uint64_t used = 0;
    for (int i = 0; i < BLOCKS; i++) {
        used += up(blocks[i].bytes);
    }
    return used;
}

// The largest hole between blocks, by trying every block's end and the start.
static bool model_has_room(const struct block *blocks, uint64_t bytes)
{
    for (int i = -1; i < BLOCKS; i++) {
        if (i >= 0 && blocks[i].bytes == 0) {
            continue;
        }
        uint64_t from = i < 0 ? START : blocks[i].offset + up(blocks[i].bytes);
        uint64_t to = SIZE;
        for (int j = 0; j < BLOCKS; j++) {
            if (blocks[j].bytes != 0 && blocks[j].offset >= from &&
                blocks[j].offset < to) {
                to = blocks[j].offset;
            }
        }
        if (to - from >= up(bytes)) {
            return true;
        }
    }
    return false;
}

static void random_blocks_never_overlap_and_all_room_is_found(void **state)
{
    (void)state;
    struct block blocks[BLOCKS] = {{0}};
    unsigned seed = 11;
    for (int step = 0; step < 50000; step++) {
        struct block *block = &blocks[(uint32_t)rand_r(&seed) % BLOCKS];
        if (block->bytes != 0) {
            sp_arena_free(&arena, block->offset, block->bytes);
            *block = (struct block){0};
        } else {
            uint32_t shift = (uint32_t)rand_r(&seed) % 20;
            uint64_t bytes = 1 + (uint32_t)rand_r(&seed) % (1u << shift);
            snakepit_err err = sp_arena_alloc(&arena, bytes, &block->offset);
            assert_int_equal(err == SNAKEPIT_OK, model_has_room(blocks, bytes));
            block->bytes = err == SNAKEPIT_OK ? bytes : 0;
            if (err == SNAKEPIT_OK) {
                check_block(blocks, block);
            }
        }
        if (step % 1000 == 0) {
            sp_arena_trim(&arena);
        }
        assert_int_equal(sp_arena_used(&arena), used_by(blocks));
        assert_true(arena.dirty <= SIZE);
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].bytes != 0) {
            sp_arena_free(&arena, blocks[i].offset, blocks[i].bytes);
        }
    }
    assert_int_equal(arena.count, 1);
    assert_int_equal(sp_arena_used(&arena), 0);
}

static void freeing_needs_no_heap_memory(void **state)
{
    (void)state;
    uint64_t offsets[200];
    for (int i = 0; i < 200; i++) {
        offsets[i] = alloc(64);
    }
    sp_memory_fail_at(1);
    for (int i = 0; i < 200; i += 2) {
        sp_arena_free(&arena, offsets[i], 64);
    }
    for (int i = 1; i < 200; i += 2) {
        sp_arena_free(&arena, offsets[i], 64);
    }
    assert_false(sp_memory_has_failed());
    sp_memory_fail_at(0);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    struct sp_arena other;
    sp_memory_fail_at(1);
    assert_int_equal(sp_arena_init(&other, segment.base, 0, SIZE), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(1);
    uint64_t offset = 0;
    snakepit_err err = SNAKEPIT_OK;
    uint32_t count = 0;
    while (err == SNAKEPIT_OK) {
        err = sp_arena_alloc(&arena, 64, &offset);
        count += err == SNAKEPIT_OK ? 1 : 0;
    }
    assert_int_equal(err, SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_int_equal(sp_arena_used(&arena), count * 64);
    assert_int_equal(sp_arena_alloc(&arena, 64, &offset), SNAKEPIT_OK);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(ranges_are_aligned_and_begin_behind_the_start),
        test(what_cannot_be_is_refused),
        test(all_of_it_can_be_had_at_once_and_again),
        test(neighbours_join_in_whatever_order_they_are_freed),
        test(freed_memory_goes_back_to_the_kernel),
        test(more_than_what_is_retained_goes_back_by_itself),
        test(what_nobody_needed_goes_back_at_the_second_tidying),
        test(what_is_needed_again_and_again_stays),
        test(a_burst_on_top_of_what_is_needed_goes_back),
        test(memory_between_blocks_that_live_goes_back),
        test(random_blocks_never_overlap_and_all_room_is_found),
        test(freeing_needs_no_heap_memory),
        test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
