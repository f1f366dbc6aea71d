// SPDX-License-Identifier: MIT
#include "inspect/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "python.h"

#define NONE "no text"

static struct sp_memory *memory;
static struct sp_python_map map;
static struct sp_objects objects;
static struct sp_code_place place;

static int begin(void **state)
{
    (void)state;
    map = the_map();
    memory = memory_of_ours();
    objects = (struct sp_objects){.memory = memory, .map = &map};
    return memory == NULL;
}

static int end(void **state)
{
    (void)state;
    sp_buf_fini(&objects.table);
    free(memory);
    return 0;
}

static const char *read_text(const void *text, size_t size, bool its_end)
{
    static char room[1024];
    sp_memory_forget(memory);
    bool read = sp_objects_text(&objects, address(text), room, size, its_end);
    return read ? room : NONE;
}

static void a_text_of_ascii_is_read(void **state)
{
    struct text text = text_of("Shop.order");
    (void)state;
    assert_string_equal(read_text(&text, 256, false), "Shop.order");
}

static void a_text_of_wide_characters_becomes_utf8(void **state)
{
    struct text text = {.head.type = &text_type,
                        .size = 3,
                        .state = COMPACT | 2 * WIDTH,
                        .wide = {0xe4, 0x20ac, 'x'}};
    (void)state;
    assert_string_equal(read_text(&text, 256, false), "\u00e4\u20acx");
    assert_string_equal(read_text(&text, 5, false), "\u00e4");
    assert_string_equal(read_text(&text, 7, false), "\u00e4\u20acx");
}

static void characters_that_are_none_are_replaced(void **state)
{
    struct text half = {.head.type = &text_type,
                        .size = 3,
                        .state = COMPACT | 2 * WIDTH,
                        .wide = {0xd800, 0x202e, 'x'}};
    struct text beyond = {.head.type = &text_type,
                          .size = 2,
                          .state = COMPACT | 4 * WIDTH,
                          .wide = {0xffff, 0xffff, 'y', 0}};
    struct text escape = text_of("\x1b[2Jx\n");
    (void)state;
    assert_string_equal(read_text(&half, 256, false), "??????x");
    assert_string_equal(read_text(&beyond, 256, false), "?y");
    assert_string_equal(read_text(&escape, 256, false), "?[2Jx ");
}

static void of_a_long_text_the_wanted_part_is_read(void **state)
{
    char long_name[500];
    (void)state;
    memset(long_name, 'a', sizeof long_name);
    long_name[0] = 'b';
    long_name[498] = 'c';
    long_name[499] = 0;
    struct text text = text_of(long_name);
    const char *start = read_text(&text, 100, false);
    assert_int_equal(strlen(start), 99);
    assert_int_equal(start[0], 'b');
    const char *rest = read_text(&text, 100, true);
    assert_in_range(strlen(rest), 40, 99);
    assert_int_equal(rest[strlen(rest) - 1], 'c');
}

static void what_is_no_text_is_not_read(void **state)
{
    struct text other = text_of("x");
    struct text legacy = text_of("x");
    struct text odd = text_of("x");
    struct text huge = text_of("x");
    (void)state;
    other.head.type = &bytes_type;
    legacy.state &= ~COMPACT;
    odd.state = COMPACT | 3 * WIDTH;
    huge.size = UINT64_MAX;
    assert_string_equal(read_text(&other, 256, false), NONE);
    assert_string_equal(read_text(&legacy, 256, false), NONE);
    assert_string_equal(read_text(&odd, 256, false), NONE);
    assert_string_equal(read_text(&huge, 256, true), NONE);
    assert_string_equal(read_text(NULL, 256, false), NONE);
    assert_string_equal(read_text((const void *)8, 256, false), NONE);
}

static enum sp_standing look(const struct code *code, const void *at)
{
    memset(&place, 'x', sizeof place);
    sp_memory_forget(memory);
    return sp_objects_place(&objects, address(code), address(at), &place);
}

static void a_place_is_function_file_and_line(void **state)
{
    struct text name = text_of("Shop.order");
    struct text file = text_of("/srv/shop.py");
    struct code code = code_of(&name, &file);
    (void)state;
    assert_int_equal(look(&code, &code.units[1]), SP_STANDING_RUNS);
    assert_string_equal(place.function, "Shop.order");
    assert_string_equal(place.file, "/srv/shop.py");
    assert_int_equal(place.line, 7);
    assert_int_equal(look(&code, &code.units[3]), SP_STANDING_RUNS);
    assert_int_equal(place.line, 8);
    assert_int_equal(look(&code, &code.units[5]), SP_STANDING_RUNS);
    assert_int_equal(place.line, 9);
}

static void a_frame_before_its_first_line_only_begins(void **state)
{
    struct text text = text_of("x");
    struct code code = code_of(&text, &text);
    (void)state;
    assert_int_equal(look(&code, &code.units[0]), SP_STANDING_BEGINS);
    assert_int_equal(look(&code, (const char *)code.units - 2), SP_STANDING_BEGINS);
}

static void what_of_a_place_cannot_be_read_is_left_empty(void **state)
{
    struct text text = text_of("x");
    struct code code = code_of(&text, NULL);
    (void)state;
    code.lines = &text;
    assert_int_equal(look(&code, &code.units[5]), SP_STANDING_RUNS);
    assert_string_equal(place.function, "x");
    assert_string_equal(place.file, "");
    assert_int_equal(place.line, 0);
}

static void a_table_of_lines_that_is_too_large_is_not_read(void **state)
{
    struct bytes large = three_lines;
    struct text text = text_of("x");
    struct code code = code_of(&text, &text);
    (void)state;
    large.size = UINT64_C(1) << 40;
    code.lines = &large;
    assert_int_equal(look(&code, &code.units[5]), SP_STANDING_RUNS);
    assert_int_equal(place.line, 0);
}

static void what_is_no_code_is_lost(void **state)
{
    struct text text = text_of("x");
    struct code code = code_of(&text, &text);
    (void)state;
    code.head.type = &text_type;
    assert_int_equal(look(&code, &code.units[5]), SP_STANDING_LOST);
    assert_int_equal(look(NULL, NULL), SP_STANDING_LOST);
}

static void a_map_that_makes_no_sense_is_not_taken(void **state)
{
    struct sp_python_map copy;
    struct sp_python_map bad = map;
    (void)state;
    assert_true(sp_objects_take_map(&bad, &copy));
    bad.known = SP_PYTHON_UNKNOWN;
    assert_false(sp_objects_take_map(&bad, &copy));
    bad = map;
    bad.frame_code = UINT32_MAX;
    assert_false(sp_objects_take_map(&bad, &copy));
    bad = map;
    bad.unit = 0;
    assert_false(sp_objects_take_map(&bad, &copy));
    bad = map;
    bad.text_kind = 0;
    assert_false(sp_objects_take_map(&bad, &copy));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_of_ascii_is_read),
        TEST(a_text_of_wide_characters_becomes_utf8),
        TEST(characters_that_are_none_are_replaced),
        TEST(of_a_long_text_the_wanted_part_is_read),
        TEST(what_is_no_text_is_not_read),
        TEST(a_place_is_function_file_and_line),
        TEST(a_frame_before_its_first_line_only_begins),
        TEST(what_of_a_place_cannot_be_read_is_left_empty),
        TEST(a_table_of_lines_that_is_too_large_is_not_read),
        TEST(what_is_no_code_is_lost),
        TEST(a_map_that_makes_no_sense_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
