// SPDX-License-Identifier: MIT
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void slice_of_text_leaves_out_the_zero(void **state)
{
    (void)state;
    struct sp_slice slice = sp_slice_of_text("snake");
    assert_int_equal(slice.size, 5);
    assert_memory_equal(slice.data, "snake", 5);
}

static void append_keeps_every_byte_while_it_grows(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    for (int i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        assert_int_equal(sp_buf_append(&buf, &byte, 1), SNAKEPIT_OK);
    }
    assert_int_equal(buf.size, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    }
    sp_buf_fini(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

static void appending_nothing_is_fine(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    assert_int_equal(sp_buf_append(&buf, NULL, 0), SNAKEPIT_OK);
    assert_int_equal(buf.size, 0);
    sp_buf_fini(&buf);
}

static void reserve_makes_the_room_it_was_asked_for(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    assert_int_equal(sp_buf_reserve(&buf, 1000000), SNAKEPIT_OK);
    assert_true(buf.capacity >= 1000000);
    uint8_t *data = buf.data;
    assert_int_equal(sp_buf_reserve(&buf, 1000000), SNAKEPIT_OK);
    assert_ptr_equal(buf.data, data);
    assert_int_equal(buf.size, 0);
    sp_buf_fini(&buf);
}

static void reserve_refuses_what_no_object_can_be(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    assert_int_equal(sp_buf_append(&buf, "abc", 3), SNAKEPIT_OK);
    assert_int_equal(sp_buf_reserve(&buf, SIZE_MAX), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_buf_reserve(&buf, PTRDIFF_MAX), SNAKEPIT_NO_MEMORY);
    assert_int_equal(buf.size, 3);
    assert_memory_equal(buf.data, "abc", 3);
    sp_buf_fini(&buf);
}

static void printf_appends_and_keeps_a_zero_behind(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    assert_int_equal(sp_buf_printf(&buf, "%s=%d", "n", 3), SNAKEPIT_OK);
    assert_int_equal(sp_buf_printf(&buf, " %0300d", 7), SNAKEPIT_OK);
    assert_int_equal(buf.size, 3 + 301);
    assert_int_equal(strlen((const char *)buf.data), buf.size);
    sp_buf_fini(&buf);
}

static void failed_growth_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct sp_buf buf = {0};
    assert_int_equal(sp_buf_append(&buf, "abc", 3), SNAKEPIT_OK);
    struct sp_buf before = buf;
    sp_memory_fail_at(1);
    assert_int_equal(sp_buf_reserve(&buf, 5000), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(1);
    assert_int_equal(sp_buf_printf(&buf, "%05000d", 1), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    assert_memory_equal(&buf, &before, sizeof(buf));
    sp_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_of_text_leaves_out_the_zero),
        cmocka_unit_test(append_keeps_every_byte_while_it_grows),
        cmocka_unit_test(appending_nothing_is_fine),
        cmocka_unit_test(reserve_makes_the_room_it_was_asked_for),
        cmocka_unit_test(reserve_refuses_what_no_object_can_be),
        cmocka_unit_test(printf_appends_and_keeps_a_zero_behind),
        cmocka_unit_test(failed_growth_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
