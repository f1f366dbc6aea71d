// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_value_of_one_word_needs_no_quotes(void **state)
{
    (void)state;
    char room[32];
    assert_string_equal(sp_log_value("shop.Orders", room, sizeof room), "shop.Orders");
    assert_string_equal(sp_log_value("a b", room, sizeof room), "\"a b\"");
    assert_string_equal(sp_log_value("a=b", room, sizeof room), "\"a=b\"");
    assert_string_equal(sp_log_value("", room, sizeof room), "\"\"");
    assert_string_equal(sp_log_value("\u00e9", room, sizeof room), "\"\u00e9\"");
}

static void quote_escapes_and_cuts(void **state)
{
    (void)state;
    char room[16];
    assert_string_equal(sp_log_quote("a \"b\"\\", room, sizeof(room)),
                        "\"a \\\"b\\\"\\\\\"");
    assert_string_equal(sp_log_quote("", room, 4), "\"\"");
    for (size_t size = 4; size <= sizeof(room); size++) {
        memset(room, 'x', sizeof(room));
        sp_log_quote("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", room, size);
        size_t length = strlen(room);
        assert_true(length < size);
        assert_int_equal(room[length - 1], '"');
        assert_true(length % 2 == 0);
    }
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(sp_log_level_of("debug"), SP_LOG_DEBUG);
    assert_int_equal(sp_log_level_of("info"), SP_LOG_INFO);
    assert_int_equal(sp_log_level_of("warning"), SP_LOG_WARNING);
    assert_int_equal(sp_log_level_of("error"), SP_LOG_ERROR);
    assert_int_equal(sp_log_level_of("off"), SP_LOG_OFF);
    assert_int_equal(sp_log_level_of("WARNING"), SP_LOG_WARNING);
    assert_int_equal(sp_log_level_of(""), -1);
    assert_string_equal(sp_log_level_name(SP_LOG_WARNING), "warning");
    assert_string_equal(sp_log_label(SP_LOG_WARNING), "WARN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_one_word_needs_no_quotes),
        cmocka_unit_test(quote_escapes_and_cuts),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
