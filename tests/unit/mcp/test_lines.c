// SPDX-License-Identifier: MIT
#include "mcp/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MOST 8u

static char told[256]; // "[line]" of each, "[!]" of one that was cut

static void on_line(void *user, struct sp_slice line, bool cut)
{
    char text[MOST + 4];
    assert_ptr_equal(user, told);
    assert_true(cut ? line.size == 0 : line.size > 0 && line.size <= MOST);
    (void)snprintf(text,
                   sizeof text,
                   "[%.*s]",
                   cut ? 1 : (int)line.size,
                   cut ? "!" : (const char *)line.data);
    (void)strcat(told, text);
}

// However the bytes are split, the same lines come.
static void assert_lines(const char *bytes, const char *lines)
{
    const size_t size = strlen(bytes);
    for (size_t step = 1; step <= size; step++) {
        struct sp_mcp_lines reader = {.most = MOST, .put = on_line, .user = told};
        told[0] = '\0';
        for (size_t at = 0; at < size; at += step) {
            const size_t piece = size - at < step ? size - at : step;
            const struct sp_slice part = {(const uint8_t *)bytes + at, piece};
            assert_int_equal(sp_mcp_lines_feed(&reader, part), SNAKEPIT_OK);
        }
        sp_mcp_lines_end(&reader);
        sp_mcp_lines_fini(&reader);
        assert_string_equal(told, lines);
    }
}

static void each_line_is_a_message(void **state)
{
    (void)state;
    assert_lines("one\ntwo\r\n\n\r\nthree\n", "[one][two][three]");
}

static void half_a_line_at_the_end_is_one(void **state)
{
    (void)state;
    assert_lines("one\ntw", "[one][tw]");
}

static void a_line_that_is_too_long_is_told_once_and_not_kept(void **state)
{
    (void)state;
    assert_lines("12345678\n123456789\nnext\n", "[12345678][!][next]");
    assert_lines("123456789", "[!]");
    assert_lines("1234567890123456789012345\na", "[!][a]");
}

static void a_long_line_takes_no_memory(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    struct sp_mcp_lines reader = {.most = MOST, .put = on_line, .user = told};
    memset(bytes, 'x', sizeof bytes);
    told[0] = '\0';
    for (int i = 0; i < 100; i++) {
        const struct sp_slice part = {bytes, sizeof bytes};
        assert_int_equal(sp_mcp_lines_feed(&reader, part), SNAKEPIT_OK);
        assert_null(reader.begun.data);
    }
    sp_mcp_lines_fini(&reader);
    assert_string_equal(told, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_message),
        cmocka_unit_test(half_a_line_at_the_end_is_one),
        cmocka_unit_test(a_line_that_is_too_long_is_told_once_and_not_kept),
        cmocka_unit_test(a_long_line_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
