// SPDX-License-Identifier: MIT
#include "inspect/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/chance.h"

#define FIRST 2

// What Python 3.11 makes of a function with a loop, a call over several lines, an
// exception that is handled, ninety empty lines and a comprehension.
// clang-format off
static const uint8_t table[] = {
    0x80, 0x00, 0xd8, 0x0c, 0x0d, 0x80, 0x45, 0xdd, 0x0d, 0x12, 0x90, 0x31, 0x89,
    0x58, 0x8c, 0x58, 0xf0, 0x00, 0x0a, 0x05, 0x29, 0xf0, 0x00, 0x0a, 0x05, 0x29,
    0x88, 0x01, 0xf0, 0x02, 0x09, 0x09, 0x29, 0xd8, 0x0c, 0x11, 0xdd, 0x10, 0x11,
    0xd8, 0x14, 0x15, 0xe0, 0x14, 0x15, 0xf1, 0x07, 0x04, 0x11, 0x12, 0xf4, 0x00,
    0x04, 0x11, 0x12, 0xf1, 0x03, 0x06, 0x0d, 0x0e, 0x88, 0x45, 0x88, 0x45, 0xf8,
    0xf5, 0x0e, 0x00, 0x10, 0x1a, 0xf0, 0x00, 0x01, 0x09, 0x29, 0xf0, 0x00, 0x01,
    0x09, 0x29, 0xf0, 0x00, 0x01, 0x09, 0x29, 0xdd, 0x12, 0x1e, 0x98, 0x71, 0x91,
    0x2f, 0x94, 0x2f, 0xa0, 0x71, 0xd0, 0x0c, 0x28, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0,
    0x03, 0x01, 0x09, 0x29, 0xf8, 0xf8, 0xf8, 0xf0, 0x7a, 0x02, 0x01, 0x0c, 0x19,
    0xf0, 0x00, 0x01, 0x0c, 0x19, 0xd8, 0x09, 0x0e, 0x90, 0x01, 0x88, 0x0a, 0xf0,
    0x03, 0x01, 0x0c, 0x19, 0xf1, 0x00, 0x01, 0x0c, 0x19, 0xf4, 0x00, 0x01, 0x0c,
    0x19, 0xf0, 0x00, 0x01, 0x05, 0x19,
};
// clang-format on

// And which lines it says that its code units come from: so many from each.
static const struct {
    uint32_t units;
    uint32_t line;
} lines[] = {{1, 2},
             {2, 3},
             {17, 4},
             {1, 5},
             {1, 6},
             {6, 7},
             {1, 8},
             {1, 10},
             {7, 7},
             {4, 6},
             {1, 0},
             {9, 13},
             {16, 14},
             {4, 0},
             {1, 13},
             {3, 0},
             {2, 106},
             {3, 107},
             {9, 106}};

static struct sp_slice whole(void)
{
    return (struct sp_slice){table, sizeof table};
}

static uint64_t units_of_all(void)
{
    uint64_t units = 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        units += lines[i].units;
    }
    return units;
}

static void every_unit_has_the_line_that_python_says(void **state)
{
    uint64_t unit = 0;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (uint32_t n = 0; n < lines[i].units; n++, unit++) {
            assert_int_equal(sp_lines_find(whole(), FIRST, unit), lines[i].line);
        }
    }
}

static void units_behind_the_end_have_no_line(void **state)
{
    (void)state;
    assert_int_equal(sp_lines_find(whole(), FIRST, units_of_all()), 0);
    assert_int_equal(sp_lines_find(whole(), FIRST, UINT64_MAX), 0);
}

static void a_table_of_nothing_has_no_lines(void **state)
{
    (void)state;
    assert_int_equal(sp_lines_find((struct sp_slice){NULL, 0}, FIRST, 0), 0);
    assert_int_equal(sp_lines_find((struct sp_slice){table, 0}, FIRST, 0), 0);
}

static void lines_that_are_none_are_not_told(void **state)
{
    const uint8_t back[] = {0x80 | 13u << 3, 0x07}; // three lines back
    const uint8_t on[] = {0x80 | 13u << 3, 0x06};   // three lines on
    (void)state;
    assert_int_equal(sp_lines_find((struct sp_slice){back, 2}, 5, 0), 2);
    assert_int_equal(sp_lines_find((struct sp_slice){back, 2}, 3, 0), 0);
    assert_int_equal(sp_lines_find((struct sp_slice){on, 2}, INT32_MAX, 0), 0);
    assert_int_equal(sp_lines_find((struct sp_slice){on, 2}, INT32_MAX - 3, 0),
                     INT32_MAX);
}

static void numbers_that_never_end_are_cut(void **state)
{
    uint8_t endless[64];
    (void)state;
    memset(endless, 0x7f, sizeof endless);
    endless[0] = 0x80 | 13u << 3;
    assert_int_equal(sp_lines_find((struct sp_slice){endless, sizeof endless}, 5, 0),
                     0);
}

static void an_entry_that_does_not_begin_as_one_ends_the_table(void **state)
{
    const uint8_t cut[] = {0x80, 0x00, 0xf8};
    const uint8_t stray[] = {0x00, 0x80, 0x00};
    (void)state;
    assert_int_equal(sp_lines_find((struct sp_slice){cut, sizeof cut}, FIRST, 0),
                     FIRST);
    assert_int_equal(sp_lines_find((struct sp_slice){stray, sizeof stray}, FIRST, 0),
                     0);
}

// Read in memory of its exact size, so that a sanitizer sees a byte too many.
static void any_bytes_at_all_are_read_to_their_end_and_no_further(void **state)
{
    (void)state;
    chance_seed = 7;
    for (uint32_t round = 0; round < 20000; round++) {
        size_t size = below(64);
        uint8_t *bytes = malloc(size + 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = below(2) == 0 ? table[below(sizeof table)] : (uint8_t)dice();
        }
        uint8_t *exact = realloc(bytes, size == 0 ? 1 : size);
        assert_non_null(exact);
        uint32_t line =
            sp_lines_find((struct sp_slice){exact, size}, (int32_t)nasty(), nasty());
        assert_true(line <= INT32_MAX);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_has_the_line_that_python_says),
        cmocka_unit_test(units_behind_the_end_have_no_line),
        cmocka_unit_test(a_table_of_nothing_has_no_lines),
        cmocka_unit_test(lines_that_are_none_are_not_told),
        cmocka_unit_test(numbers_that_never_end_are_cut),
        cmocka_unit_test(an_entry_that_does_not_begin_as_one_ends_the_table),
        cmocka_unit_test(any_bytes_at_all_are_read_to_their_end_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
