// SPDX-License-Identifier: MIT
#include "server/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_token_is_another_one(void **state)
{
    (void)state;
    char one[SP_TOKEN_TEXT_SIZE];
    char other[SP_TOKEN_TEXT_SIZE];
    assert_int_equal(sp_token_make(one), SNAKEPIT_OK);
    assert_int_equal(sp_token_make(other), SNAKEPIT_OK);
    assert_int_equal(strlen(one), SP_TOKEN_TEXT_SIZE - 1);
    assert_int_equal(strncmp(one, "sp_", 3), 0);
    assert_int_equal(strspn(one + 3, "0123456789abcdef"), 72);
    assert_string_not_equal(one, other);
    assert_false(sp_token_is_damaged(sp_slice_of_text(one)));
}

static void each_changed_byte_is_noticed(void **state)
{
    (void)state;
    char text[SP_TOKEN_TEXT_SIZE];
    assert_int_equal(sp_token_make(text), SNAKEPIT_OK);
    for (size_t i = 3; i + 1 < sizeof text; i++) {
        const char was = text[i];
        text[i] = was == '0' ? '1' : '0';
        assert_true(sp_token_is_damaged(sp_slice_of_text(text)));
        text[i] = was;
    }
    text[SP_TOKEN_TEXT_SIZE - 2] = '\0';
    assert_true(sp_token_is_damaged(sp_slice_of_text(text)));
    assert_true(sp_token_is_damaged(sp_slice_of_text("sp_")));
}

static void a_token_that_was_made_elsewhere_is_not_damaged(void **state)
{
    (void)state;
    assert_false(sp_token_is_damaged(sp_slice_of_text("")));
    assert_false(sp_token_is_damaged(sp_slice_of_text("sp")));
    assert_false(sp_token_is_damaged(sp_slice_of_text("mF_9.B5f-4.1JqM")));
}

// The checksum is the CRC-32 of zip, and the hash SHA-256, so that others can make
// both.
static void sums_are_those_of_everybody(void **state)
{
    static const uint8_t of_abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                     0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                     0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                     0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t hash[SP_TOKEN_HASH_BYTES];
    (void)state;
    assert_false(sp_token_is_damaged(
        sp_slice_of_text("sp_"
                         "000000000000000000000000000000000000000000000000000000000000"
                         "0000"
                         "4b345c54")));
    assert_true(sp_token_hash(sp_slice_of_text("abc"), hash));
    assert_memory_equal(hash, of_abc, sizeof of_abc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_is_another_one),
        cmocka_unit_test(each_changed_byte_is_noticed),
        cmocka_unit_test(a_token_that_was_made_elsewhere_is_not_damaged),
        cmocka_unit_test(sums_are_those_of_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
