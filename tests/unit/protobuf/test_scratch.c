// SPDX-License-Identifier: MIT
#include "protobuf/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct sp_scratch scratch = {0};
    uint8_t *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = sp_scratch_take(&scratch, i * 7);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < i * 7; k++) {
            assert_int_equal(pieces[i][k], 0);
        }
        memset(pieces[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i * 7; k++) {
            assert_int_equal(pieces[i][k], i);
        }
    }
    sp_scratch_fini(&scratch);
    assert_int_equal(scratch.used, 0);
}

static void a_limit_is_kept(void **state)
{
    (void)state;
    struct sp_scratch scratch = {.limit = 100};
    assert_null(sp_scratch_take(&scratch, 101));
    assert_null(sp_scratch_take(&scratch, SIZE_MAX));
    assert_non_null(sp_scratch_take(&scratch, 96));
    assert_null(sp_scratch_take(&scratch, 5));
    assert_non_null(sp_scratch_take(&scratch, 4));
    assert_null(sp_scratch_take(&scratch, 1));
    sp_scratch_fini(&scratch);
}

static void buffers_are_taken_over(void **state)
{
    (void)state;
    struct sp_scratch scratch = {0};
    struct sp_buf buf = {0};
    struct sp_slice bytes;
    uint8_t *before = sp_scratch_take(&scratch, 16);
    assert_int_equal(sp_buf_append(&buf, "text", 4), SNAKEPIT_OK);
    sp_memory_fail_at(1);
    assert_int_equal(sp_scratch_own(&scratch, &buf, &bytes), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_int_equal(buf.size, 4);
    assert_int_equal(sp_scratch_own(&scratch, &buf, &bytes), SNAKEPIT_OK);
    assert_null(buf.data);
    assert_int_equal(bytes.size, 4);
    assert_memory_equal(bytes.data, "text", 4);
    // The room that was left is still used.
    assert_ptr_equal(sp_scratch_take(&scratch, 16), before + 16);
    sp_scratch_fini(&scratch);
}

static void the_first_block_is_used_again(void **state)
{
    (void)state;
    struct sp_scratch scratch = {0};
    struct sp_buf buf = {0};
    struct sp_slice bytes;
    uint8_t *first = sp_scratch_take(&scratch, 100);
    memset(first, 1, 100);
    assert_int_equal(sp_buf_append(&buf, "text", 4), SNAKEPIT_OK);
    assert_int_equal(sp_scratch_own(&scratch, &buf, &bytes), SNAKEPIT_OK);
    sp_scratch_reset(&scratch);
    assert_int_equal(scratch.used, 0);
    sp_memory_fail_at(1);
    uint8_t *again = sp_scratch_take(&scratch, 1000);
    sp_memory_fail_at(0);
    assert_ptr_equal(again, first);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(again[i], 0);
    }
    // A larger one is not kept.
    assert_non_null(sp_scratch_take(&scratch, 5000));
    sp_scratch_reset(&scratch);
    assert_null(scratch.blocks);
    sp_scratch_reset(&scratch);
    sp_scratch_fini(&scratch);
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    struct sp_scratch scratch = {0};
    sp_memory_fail_at(1);
    assert_null(sp_scratch_take(&scratch, 1));
    sp_memory_fail_at(0);
    assert_non_null(sp_scratch_take(&scratch, 1));
    sp_scratch_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_limit_is_kept),
        cmocka_unit_test(buffers_are_taken_over),
        cmocka_unit_test(the_first_block_is_used_again),
        cmocka_unit_test(memory_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
