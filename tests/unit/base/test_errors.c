// SPDX-License-Identifier: MIT
#include <snakepit/snakepit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void every_error_has_its_name_and_text(void **state)
{
    (void)state;
#define CHECK_ROW(name, number, grpc, http, retryable, text)        \
    assert_string_equal(snakepit_err_name(SNAKEPIT_##name), #name); \
    assert_string_equal(snakepit_err_text(SNAKEPIT_##name), text);  \
    assert_int_equal(snakepit_err_retryable(SNAKEPIT_##name), retryable);
    SNAKEPIT_ERRORS(CHECK_ROW)
#undef CHECK_ROW
}

static void a_number_that_is_no_error_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(snakepit_err_name((snakepit_err)999), "UNKNOWN");
    assert_string_equal(snakepit_err_text((snakepit_err)999), "");
    assert_false(snakepit_err_retryable((snakepit_err)999));
}

static void the_version_is_that_of_the_headers(void **state)
{
    (void)state;
    assert_string_equal(snakepit_version(), SNAKEPIT_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_name_and_text),
        cmocka_unit_test(a_number_that_is_no_error_is_unknown),
        cmocka_unit_test(the_version_is_that_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
