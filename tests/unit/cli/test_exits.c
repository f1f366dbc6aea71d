// SPDX-License-Identifier: MIT
#include "cli/exits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

static void codes_are_what_scripts_know(void **state)
{
    (void)state;
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_OK), 0);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_TOOL_FAILED), 1);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_UNKNOWN_TOOL), 1);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_UNKNOWN_POOL), 1);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_MALFORMED), 2);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_INVALID_CONFIG), 3);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_POOL_FAILED), 4);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_WORKER_DIED), 4);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_SATURATED), 4);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_DEADLINE_EXCEEDED), 5);
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_NO_MEMORY), 6);
}

static bool is_listed(int code)
{
    const struct sp_cli_exit_row *row = NULL;
    for (size_t i = 0; (row = sp_cli_exit_at(i)) != NULL; i++) {
        if (row->code == code) {
            return true;
        }
    }
    return false;
}

static void every_error_ends_in_a_documented_code(void **state)
{
    (void)state;
#define CHECK_ROW(name, number, grpc, http, retryable, text) \
    assert_true(is_listed(sp_cli_exit_of(SNAKEPIT_##name))); \
    assert_int_equal(sp_cli_exit_of(SNAKEPIT_##name) == 0, (number) == 0);
    SNAKEPIT_ERRORS(CHECK_ROW)
#undef CHECK_ROW
    assert_int_equal(sp_cli_exit_of((snakepit_err)999), 1);
}

static void codes_rise_by_one_from_zero(void **state)
{
    (void)state;
    const struct sp_cli_exit_row *row = NULL;
    for (size_t i = 0; (row = sp_cli_exit_at(i)) != NULL; i++) {
        assert_int_equal(row->code, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_what_scripts_know),
        cmocka_unit_test(every_error_ends_in_a_documented_code),
        cmocka_unit_test(codes_rise_by_one_from_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
