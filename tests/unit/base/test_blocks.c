// SPDX-License-Identifier: MIT
#include "base/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

// Under a checker of addresses none is kept.
static bool keeps(void)
{
    struct sp_blocks blocks = {0};
    sp_blocks_give(&blocks, sp_blocks_take(&blocks, 1), 1);
    const bool kept = blocks.kept > 0;
    sp_blocks_fini(&blocks);
    return kept;
}

static void what_was_given_back_is_used_again(void **state)
{
    (void)state;
    struct sp_blocks blocks = {0};
    void *one = sp_blocks_take(&blocks, 65);
    void *other = sp_blocks_take(&blocks, 128);
    memset(one, 1, 65);
    memset(other, 2, 128);
    sp_blocks_give(&blocks, one, 65);
    sp_blocks_give(&blocks, other, 128);
    sp_blocks_give(&blocks, NULL, 128);
    if (keeps()) {
        assert_int_equal(blocks.kept, 256);
        sp_memory_fail_at(1);
        assert_ptr_equal(sp_blocks_take(&blocks, 100), other);
        assert_ptr_equal(sp_blocks_take(&blocks, 100), one);
        assert_null(sp_blocks_take(&blocks, 100));
        sp_memory_fail_at(0);
        assert_int_equal(blocks.kept, 0);
        sp_blocks_give(&blocks, one, 128);
        sp_blocks_give(&blocks, other, 128);
    }
    sp_blocks_fini(&blocks);
    assert_int_equal(blocks.kept, 0);
}

static void blocks_of_other_sizes_stay(void **state)
{
    (void)state;
    struct sp_blocks blocks = {0};
    void *small = sp_blocks_take(&blocks, 64);
    sp_blocks_give(&blocks, small, 64);
    void *larger = sp_blocks_take(&blocks, 65);
    assert_int_equal(blocks.kept, keeps() ? 64 : 0);
    void *none = sp_blocks_take(&blocks, 0);
    assert_non_null(none);
    sp_blocks_give(&blocks, larger, 65);
    sp_blocks_give(&blocks, none, 0);
    sp_blocks_fini(&blocks);
}

static void large_ones_are_not_kept(void **state)
{
    (void)state;
    struct sp_blocks blocks = {0};
    void *large = sp_blocks_take(&blocks, SP_BLOCK_MOST + 1);
    memset(large, 1, SP_BLOCK_MOST + 1);
    sp_blocks_give(&blocks, large, SP_BLOCK_MOST + 1);
    assert_int_equal(blocks.kept, 0);
}

static void no_more_are_kept_than_there_may_be(void **state)
{
    (void)state;
    enum { COUNT = 2 * SP_BLOCK_KEPT / SP_BLOCK_MOST };
    static void *all[COUNT];
    struct sp_blocks blocks = {0};
    for (size_t i = 0; i < COUNT; i++) {
        all[i] = sp_blocks_take(&blocks, SP_BLOCK_MOST);
    }
    for (size_t i = 0; i < COUNT; i++) {
        sp_blocks_give(&blocks, all[i], SP_BLOCK_MOST);
    }
    assert_int_equal(blocks.kept, keeps() ? SP_BLOCK_KEPT : 0);
    sp_blocks_fini(&blocks);
}

static void a_buffer_is_lent_what_there_is(void **state)
{
    (void)state;
    struct sp_blocks blocks = {0};
    struct sp_buf buf = {0};
    sp_blocks_lend(&blocks, &buf, 256);
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
    assert_int_equal(sp_buf_append(&buf, "text", 4), SNAKEPIT_OK);
    sp_blocks_take_back(&blocks, &buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
    if (keeps()) {
        sp_blocks_lend(&blocks, &buf, 256);
        assert_int_equal(buf.capacity, 256);
        assert_int_equal(blocks.kept, 0);
        uint8_t *lent = buf.data;
        sp_blocks_lend(&blocks, &buf, 512); // it has memory
        assert_ptr_equal(buf.data, lent);
    }
    // What has grown beyond what is kept is freed.
    assert_int_equal(sp_buf_reserve(&buf, 5000), SNAKEPIT_OK);
    sp_blocks_take_back(&blocks, &buf);
    assert_int_equal(blocks.kept, 0);
    sp_blocks_fini(&blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_back_is_used_again),
        cmocka_unit_test(blocks_of_other_sizes_stay),
        cmocka_unit_test(large_ones_are_not_kept),
        cmocka_unit_test(no_more_are_kept_than_there_may_be),
        cmocka_unit_test(a_buffer_is_lent_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
