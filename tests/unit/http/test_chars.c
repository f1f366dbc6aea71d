// SPDX-License-Identifier: MIT
#include "http/chars.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
// RFC 3986: unreserved, sub-delims, pchar.
#define UNRESERVED DIGITS LETTERS "-._~"
#define DELIMITERS "!$&'()*+,;="
#define IN_A_PATH  UNRESERVED DELIMITERS "%:@/"

static void check(enum sp_char kind, const char *all)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        assert_int_equal(sp_char_is((uint8_t)byte, kind),
                         strchr(all, (int)byte) != NULL);
    }
    assert_false(sp_char_is(0, kind));
}

static void kinds_are_those_of_the_standards(void **state)
{
    (void)state;
    check(SP_CHAR_TOKEN, DIGITS LETTERS "!#$%&'*+-.^_`|~");
    check(SP_CHAR_PATH, IN_A_PATH);
    check(SP_CHAR_QUERY, IN_A_PATH "?[]{}|^`");
    check(SP_CHAR_HOST, UNRESERVED);
    check(SP_CHAR_DIGIT, DIGITS);
}

static void a_value_has_no_control_codes_but_tabs(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        assert_int_equal(sp_char_is((uint8_t)byte, SP_CHAR_VALUE),
                         byte == '\t' || (byte >= ' ' && byte != 127));
    }
}

static void hexadecimal_digits_have_their_values(void **state)
{
    (void)state;
    static const char digits[] = DIGITS "abcdef";
    for (unsigned byte = 1; byte < 256; byte++) {
        const char *at = strchr(digits, (int)sp_char_lower((uint8_t)byte));
        assert_int_equal(sp_char_hex((uint8_t)byte), at != NULL ? at - digits : -1);
    }
    assert_int_equal(sp_char_hex(0), -1);
}

static void only_letters_have_a_lower_case(void **state)
{
    (void)state;
    assert_int_equal(sp_char_lower('A'), 'a');
    assert_int_equal(sp_char_lower('Z'), 'z');
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte < 'A' || byte > 'Z') {
            assert_int_equal(sp_char_lower((uint8_t)byte), byte);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_those_of_the_standards),
        cmocka_unit_test(a_value_has_no_control_codes_but_tabs),
        cmocka_unit_test(hexadecimal_digits_have_their_values),
        cmocka_unit_test(only_letters_have_a_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
