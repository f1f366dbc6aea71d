// SPDX-License-Identifier: MIT
// What is said of arguments, which are built as a program builds them.
#include "payload/shapes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "payload/reader.h"
#include "payload/writer.h"

static char text[512];

static const char *shapes_of(const snakepit_writer *writer)
{
    snakepit_reader reader;
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    sp_reader_init(&reader,
                   (struct sp_slice){writer->buf.data, writer->buf.size},
                   (struct sp_slice){0});
    sp_shapes_write(reader, text, sizeof text);
    return text;
}

static const char *shapes_of_json(const char *json)
{
    snakepit_writer *writer = snakepit_writer_new();
    assert_int_equal(snakepit_writer_json(writer, json, strlen(json), NULL),
                     SNAKEPIT_OK);
    const char *shapes = shapes_of(writer);
    snakepit_writer_free(writer);
    return shapes;
}

static void each_kind_is_told_by_its_type_and_size(void **state)
{
    (void)state;
    assert_string_equal(
        shapes_of_json(
            "{\"a\": null, \"b\": true, \"c\": -7, \"d\": 1.5, \"e\": \"secret\","
            " \"f\": [1, [2, 3], {\"x\": 4}], \"g\": {\"y\": [5]},"
            " \"h\": 18446744073709551615}"),
        "a: None, b: bool, c: int, d: float, e: str[6], f: list[3], g: dict[1], h: "
        "int");
    assert_string_equal(shapes_of_json("{\"name\": \"J\\u00f6rg\"}"), "name: str[4]");
    assert_string_equal(shapes_of_json("{}"), "");
    assert_string_equal(shapes_of_json("[1]"), "");
}

static void bytes_and_tensors_are_told(void **state)
{
    static _Alignas(64) const uint8_t segment[256];
    snakepit_tensor tensor = {
        .data = segment, .dtype = SNAKEPIT_FLOAT32, .rank = 2, .shape = {3, 4}};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_reader reader;
    (void)state;
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "raw");
    snakepit_writer_bytes(writer, "abc", 3);
    snakepit_writer_str(writer, "data");
    snakepit_writer_tensor(writer, &tensor);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    sp_tensor_ref_place(&writer->tensors[0], writer->buf.data, 64);
    sp_reader_init(&reader,
                   (struct sp_slice){writer->buf.data, writer->buf.size},
                   (struct sp_slice){segment, sizeof segment});
    sp_shapes_write(reader, text, sizeof text);
    assert_string_equal(text, "raw: bytes[3], data: float32[3,4]");
    snakepit_writer_free(writer);
}

static void many_arguments_are_counted(void **state)
{
    char name[80];
    snakepit_writer *writer = snakepit_writer_new();
    (void)state;
    snakepit_writer_map(writer, 20);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, i == 0 ? "%080d" : "a%d", i);
        snakepit_writer_str(writer, name);
        snakepit_writer_int(writer, i);
    }
    const char *shapes = shapes_of(writer);
    assert_memory_equal(shapes, "0000", 4);
    assert_int_equal(strchr(shapes, ':') - shapes, 64); // its name is cut
    assert_non_null(strstr(shapes, ", a15: int, and 4 more"));
    char small[16];
    snakepit_reader reader;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    sp_shapes_write(reader, small, sizeof small);
    assert_int_equal(strlen(small), sizeof small - 1);
    snakepit_writer_free(writer);
}

static void what_is_behind_very_many_values_is_only_counted(void **state)
{
    snakepit_writer *writer = snakepit_writer_new();
    (void)state;
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "few");
    snakepit_writer_int(writer, 1);
    snakepit_writer_str(writer, "many");
    snakepit_writer_array(writer, 1000000);
    for (int i = 0; i < 1000000; i++) {
        snakepit_writer_nil(writer);
    }
    snakepit_writer_str(writer, "last");
    snakepit_writer_int(writer, 1);
    assert_string_equal(shapes_of(writer), "few: int, many: list[1000000], and 1 more");
    snakepit_writer_free(writer);
}

static void names_are_fit_for_a_log_and_values_never_there(void **state)
{
    (void)state;
    assert_string_equal(shapes_of_json("{\"a\\u001b[31m\": \"x\\ny\"}"),
                        "a?[31m: str[3]");
    // What is no MessagePack ends the text.
    const uint8_t cut[] = {0x82, 0xa1, 'a', 1, 0xa9, 'b'};
    snakepit_reader reader;
    snakepit_reader_init(&reader, cut, sizeof cut);
    sp_shapes_write(reader, text, sizeof text);
    assert_string_equal(text, "a: int, and 1 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_told_by_its_type_and_size),
        cmocka_unit_test(bytes_and_tensors_are_told),
        cmocka_unit_test(many_arguments_are_counted),
        cmocka_unit_test(what_is_behind_very_many_values_is_only_counted),
        cmocka_unit_test(names_are_fit_for_a_log_and_values_never_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
