// SPDX-License-Identifier: MIT
// What a writer says of its first error: what, where in the value, and the remedy.
#include "payload/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payload/writer.h"

static int set_up(void **state)
{
    *state = snakepit_writer_new();
    return *state == NULL;
}

static int tear_down(void **state)
{
    snakepit_writer_free(*state);
    return 0;
}

// {"items": [1, [tensor of no elements, <here>
static void stand_inside(snakepit_writer *writer)
{
    const snakepit_tensor empty = {.dtype = SNAKEPIT_INT8, .rank = 1};
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "none");
    snakepit_writer_array(writer, 0);
    snakepit_writer_str(writer, "items");
    snakepit_writer_array(writer, 2);
    snakepit_writer_int(writer, 1);
    snakepit_writer_array(writer, 3);
    snakepit_writer_tensor(writer, &empty);
}

static void says(const snakepit_writer *writer, snakepit_err err, const char *text)
{
    snakepit_message why;
    assert_int_equal(snakepit_writer_explain(writer, &why), err);
    assert_string_equal(why.text, text);
    assert_int_equal(snakepit_writer_error(writer), err);
}

static void a_tensor_that_is_none_is_told_with_its_place_and_remedy(void **state)
{
    static const char data[8];
    const struct {
        snakepit_tensor tensor;
        const char *why;
    } rows[] = {
        {{.data = data, .rank = 1, .shape = {8}},
         "the tensor's dtype 0 is unknown; set it to one of enum snakepit_dtype, such "
         "as "
         "SNAKEPIT_FLOAT64 (at .items[1][1])"},
        {{.data = data, .dtype = SNAKEPIT_INT8, .rank = 9},
         "the tensor has 9 dimensions and may have 8; reshape it (at .items[1][1])"},
        {{.data = data, .dtype = SNAKEPIT_INT8, .rank = 2, .shape = {4, -2}},
         "shape[1] of the tensor is -2; give a number of elements, 0 or more (at "
         ".items[1][1])"},
        {{.data = data, .dtype = SNAKEPIT_INT64, .rank = 1, .shape = {INT64_MAX}},
         "the tensor's shape needs more bytes than memory can have; check its extents "
         "(at .items[1][1])"},
        {{.dtype = SNAKEPIT_INT16, .rank = 1, .shape = {4}},
         "the tensor's data is NULL but its shape needs 8 bytes; point data to the "
         "elements (at .items[1][1])"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stand_inside(*state);
        snakepit_writer_tensor(*state, &rows[i].tensor);
        says(*state, SNAKEPIT_INVALID_ARGUMENT, rows[i].why);
    }
    snakepit_writer_reset(*state);
    snakepit_writer_tensor(*state, NULL);
    says(*state, SNAKEPIT_INVALID_ARGUMENT, "the tensor is NULL; give its address");
}

static void a_text_that_is_null_or_too_long_is_told(void **state)
{
    stand_inside(*state);
    snakepit_writer_str(*state, NULL);
    says(*state,
         SNAKEPIT_INVALID_ARGUMENT,
         "a text or bytes are NULL; give their address, or write nil (at "
         ".items[1][1])");
    stand_inside(*state);
    snakepit_writer_bytes(*state, "", (size_t)1 << 32);
    says(*state,
         SNAKEPIT_INVALID_ARGUMENT,
         "a text or bytes of 4294967296 bytes are over the 4 GiB that one value can "
         "have; send them in pieces (at .items[1][1])");
}

static void what_is_incomplete_says_what_it_wants(void **state)
{
    snakepit_writer *writer = *state;
    says(writer, SNAKEPIT_MALFORMED, "no value was written");
    stand_inside(writer);
    says(writer,
         SNAKEPIT_MALFORMED,
         "a container that was begun wants 2 more values (at .items[1][1]); write "
         "them, or announce fewer");
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 1);
    says(writer,
         SNAKEPIT_MALFORMED,
         "a container that was begun wants 2 more values (at {key 1}); write them, or "
         "announce fewer");
    snakepit_writer_int(writer, 7);
    says(writer,
         SNAKEPIT_MALFORMED,
         "a container that was begun wants 1 more values (at {value 1}); write them, "
         "or announce fewer");
    snakepit_writer_nil(writer);
    says(writer, SNAKEPIT_OK, "");
    snakepit_writer_nil(writer);
    says(writer,
         SNAKEPIT_MALFORMED,
         "a value was written behind one that is whole already; announce more pairs or "
         "items, or reset the writer first");
}

static void the_reason_of_json_stays_with_the_writer(void **state)
{
    snakepit_message why;
    snakepit_writer *writer = *state;
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "options");
    assert_int_equal(snakepit_writer_json(writer, "{\n \"a\": oops}", 13, &why),
                     SNAKEPIT_MALFORMED);
    assert_memory_equal(why.text, "line 2, column ", 15);
    assert_non_null(strstr(why.text, " (at .options.a)"));
    says(writer, SNAKEPIT_MALFORMED, why.text);
    snakepit_writer_reset(writer);
    (void)snakepit_writer_json(writer, NULL, 0, NULL);
    says(writer,
         SNAKEPIT_INVALID_ARGUMENT,
         "the JSON text is NULL; give its address, or write nil");
}

static void the_depth_that_is_too_much_is_told_from_its_end(void **state)
{
    snakepit_writer *writer = *state;
    for (int i = 0; i <= SP_DEPTH_MAX; i++) {
        snakepit_writer_array(writer, 1);
    }
    says(writer,
         SNAKEPIT_INVALID_ARGUMENT,
         "more than 128 maps and arrays are inside each other; nest fewer (at "
         "...[0][0][0][0][0][0][0][0])");
}

static void a_container_as_a_key_is_refused_with_its_place(void **state)
{
    static const uint8_t data[8];
    const snakepit_tensor tensor = {data, SNAKEPIT_UINT8, 1, {8}, {0}};
    for (int kind = 0; kind < 3; kind++) {
        snakepit_writer *writer = *state;
        snakepit_writer_reset(writer);
        snakepit_writer_map(writer, 1);
        snakepit_writer_str(writer, "rows");
        snakepit_writer_map(writer, 2);
        snakepit_writer_nil(writer);
        snakepit_writer_array(writer, 0);
        if (kind == 2) {
            snakepit_writer_tensor(writer, &tensor);
        } else {
            (kind == 0 ? snakepit_writer_map : snakepit_writer_array)(writer, 0);
        }
        says(writer,
             SNAKEPIT_INVALID_ARGUMENT,
             "a map, an array or a tensor cannot be a key in Python; keys are "
             "texts, numbers, booleans, nil or bytes (at .rows{key 2})");
    }
}

// Wide heads of maps and arrays, a long key, and a place that does not fit.
static void the_place_is_found_behind_heads_of_all_widths(void **state)
{
    char place[64];
    char key[60];
    snakepit_writer *writer = *state;
    memset(key, 'k', sizeof key);
    snakepit_writer_array(writer, 70000);
    for (int i = 0; i < 69999; i++) {
        snakepit_writer_map(writer, 0);
    }
    snakepit_writer_map(writer, 300);
    snakepit_writer_strn(writer, key, sizeof key);
    sp_place_of_next(writer, place, sizeof place);
    assert_string_equal(place, "[69999].kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    sp_place_of_next(writer, place, 6);
    assert_string_equal(place, "[6999");
    snakepit_writer_double(writer, 0.5);
    sp_place_of_next(writer, place, sizeof place);
    assert_string_equal(place, "[69999]{key 2}");
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(a_tensor_that_is_none_is_told_with_its_place_and_remedy),
        WITH_WRITER(a_text_that_is_null_or_too_long_is_told),
        WITH_WRITER(what_is_incomplete_says_what_it_wants),
        WITH_WRITER(the_reason_of_json_stays_with_the_writer),
        WITH_WRITER(the_depth_that_is_too_much_is_told_from_its_end),
        WITH_WRITER(a_container_as_a_key_is_refused_with_its_place),
        WITH_WRITER(the_place_is_found_behind_heads_of_all_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
