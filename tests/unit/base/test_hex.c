// SPDX-License-Identifier: MIT
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// Sixteen digits at once, and eight at a time. Returns whether they are some.
static bool read(const uint8_t digits[16], uint8_t bytes[8])
{
    uint64_t wrong = 0;
    uint64_t wrong_words = 0;
    uint64_t words[2];
    const uint64_t all = sp_hex_sixteen(digits, &wrong);
    memcpy(words, digits, sizeof words);
    const uint32_t halves[2] = {sp_hex_eight(words[0], &wrong_words),
                                sp_hex_eight(words[1], &wrong_words)};
    assert_int_equal(wrong == 0, wrong_words == 0);
    if (wrong == 0) {
        assert_memory_equal(&all, halves, sizeof all);
    }
    memcpy(bytes, &all, sizeof all);
    return wrong == 0;
}

static void every_byte_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[8];
        uint8_t digits[16];
        uint8_t again[8];
        for (unsigned i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(first + 37 * i);
        }
        sp_hex_write(bytes, sizeof bytes, digits);
        assert_true(read(digits, again));
        assert_memory_equal(again, bytes, sizeof bytes);
        assert_int_equal(sp_hex_two(digits), first);
    }
}

static void what_is_not_a_digit_is_found_at_each_place(void **state)
{
    uint8_t digits[16];
    uint8_t bytes[8];
    (void)state;
    for (size_t at = 0; at < sizeof digits; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            const bool is_digit =
                (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            memcpy(digits, "0123456789abcdef", sizeof digits);
            digits[at] = (uint8_t)byte;
            assert_int_equal(read(digits, bytes), is_digit);
            assert_int_equal(sp_hex_two(digits + at / 2 * 2) <= 0xff, is_digit);
        }
    }
}

static void what_was_wrong_before_stays_so(void **state)
{
    uint64_t wrong = 4;
    (void)state;
    (void)sp_hex_sixteen((const uint8_t *)"0123456789abcdef", &wrong);
    assert_true(wrong != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_read_as_it_was_written),
        cmocka_unit_test(what_is_not_a_digit_is_found_at_each_place),
        cmocka_unit_test(what_was_wrong_before_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
