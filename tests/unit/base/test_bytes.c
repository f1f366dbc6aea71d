// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 40u

static void fill(uint8_t *bytes, uint8_t first)
{
    for (size_t i = 0; i < MOST; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

static void a_copy_is_all_of_it_and_no_more(void **state)
{
    (void)state;
    uint8_t from[MOST];
    uint8_t to[MOST];
    fill(from, 1);
    for (size_t size = 0; size < MOST; size++) {
        memset(to, 0xee, sizeof to);
        sp_bytes_copy(to, from, size);
        assert_memory_equal(to, from, size);
        for (size_t i = size; i < MOST; i++) {
            assert_int_equal(to[i], 0xee);
        }
    }
}

static void nothing_may_come_from_nowhere(void **state)
{
    (void)state;
    uint8_t to = 7;
    sp_bytes_copy(&to, NULL, 0);
    assert_int_equal(to, 7);
}

static void any_byte_makes_a_difference(void **state)
{
    (void)state;
    uint8_t one[MOST];
    uint8_t other[MOST];
    fill(one, 1);
    for (size_t size = 0; size < MOST; size++) {
        fill(other, 1);
        memset(other + size, 0xee, MOST - size);
        assert_true(sp_bytes_equal(one, other, size));
        for (size_t i = 0; i < size; i++) {
            other[i] ^= 0x80;
            assert_false(sp_bytes_equal(one, other, size));
            other[i] ^= 0x80;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_all_of_it_and_no_more),
        cmocka_unit_test(nothing_may_come_from_nowhere),
        cmocka_unit_test(any_byte_makes_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
