// SPDX-License-Identifier: MIT
#include "otlp/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define BYTES(text) ((struct sp_slice){(const uint8_t *)(text), sizeof(text) - 1})

static struct sp_otlp_rejected rejected;

static void what_takes_all_says_nothing(void **state)
{
    (void)state;
    assert_false(sp_otlp_read_answer(BYTES(""), &rejected));
    assert_false(sp_otlp_read_answer(BYTES("\x0a\0"), &rejected)); // partial_success {}
    assert_int_equal(rejected.count, 0);
    assert_string_equal(rejected.because, "");
}

static void what_was_rejected_is_read_with_why(void **state)
{
    (void)state;
    assert_true(sp_otlp_read_answer(BYTES("\x0a\x09\x08\xac\x02\x12\x04"
                                          "full"),
                                    &rejected));
    assert_int_equal(rejected.count, 300);
    assert_string_equal(rejected.because, "full");
    assert_true(sp_otlp_read_answer(BYTES("\x0a\x02\x08\x01"), &rejected));
    assert_int_equal(rejected.count, 1);
    assert_string_equal(rejected.because, "");
}

static void a_warning_alone_is_told(void **state)
{
    (void)state;
    assert_true(sp_otlp_read_answer(BYTES("\x0a\x05\x12\x03old"), &rejected));
    assert_int_equal(rejected.count, 0);
    assert_string_equal(rejected.because, "old");
}

static void a_count_below_zero_is_none(void **state)
{
    (void)state;
    assert_false(
        sp_otlp_read_answer(BYTES("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff"
                                  "\xff\x01"),
                            &rejected));
}

static void words_are_one_line_and_cut(void **state)
{
    uint8_t answer[6 + 400];
    const uint8_t head[] = {0x0a, 0x93, 0x03, 0x12, 0x90, 0x03};
    (void)state;
    memcpy(answer, head, sizeof head);
    memset(answer + sizeof head, 'x', 400);
    memcpy(answer + sizeof head, "a\nb\x1b", 4);
    const uint8_t euro[] = {0xe2, 0x82, 0xac};
    memcpy(answer + sizeof head + SP_OTLP_BECAUSE_SIZE - 2, euro, sizeof euro);
    assert_true(
        sp_otlp_read_answer((struct sp_slice){answer, sizeof answer}, &rejected));
    assert_int_equal(strlen(rejected.because), SP_OTLP_BECAUSE_SIZE - 1);
    assert_memory_equal(rejected.because, "a b?", 4);
    assert_int_equal(rejected.because[SP_OTLP_BECAUSE_SIZE - 2], '?');
}

static void another_message_says_nothing(void **state)
{
    (void)state;
    assert_false(sp_otlp_read_answer(BYTES("{\"partialSuccess\":{}}"), &rejected));
    assert_false(sp_otlp_read_answer(BYTES("\x0a\x7f"), &rejected));
    assert_false(sp_otlp_read_answer(BYTES("<html>"), &rejected));
    sp_memory_fail_at(1);
    assert_false(sp_otlp_read_answer(BYTES("\x0a\x02\x08\x01"), &rejected));
    sp_memory_fail_at(0);
    assert_int_equal(rejected.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_all_says_nothing),
        cmocka_unit_test(what_was_rejected_is_read_with_why),
        cmocka_unit_test(a_warning_alone_is_told),
        cmocka_unit_test(a_count_below_zero_is_none),
        cmocka_unit_test(words_are_one_line_and_cut),
        cmocka_unit_test(another_message_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
