// SPDX-License-Identifier: MIT
#include "payload/writer.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "values.h"

#define BYTES_ARE(writer, literal)                             \
    assert_int_equal((writer)->buf.size, sizeof(literal) - 1); \
    assert_memory_equal((writer)->buf.data, literal, sizeof(literal) - 1)

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

static void the_shortest_form_of_an_integer_is_written(void **state)
{
    snakepit_writer *writer = *state;
    static const int64_t edges[] = {0,
                                    127,
                                    128,
                                    255,
                                    256,
                                    65535,
                                    65536,
                                    UINT32_MAX,
                                    1LL << 32,
                                    INT64_MAX,
                                    -1,
                                    -32,
                                    -33,
                                    -128,
                                    -129,
                                    -32768,
                                    -32769,
                                    INT32_MIN,
                                    INT32_MIN - 1LL,
                                    INT64_MIN};
    static const size_t sizes[] = {1, 1, 2, 2, 3, 3, 5, 5, 9, 9,
                                   1, 1, 2, 2, 3, 3, 5, 5, 9, 9};
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        snakepit_writer_reset(writer);
        snakepit_writer_int(writer, edges[i]);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
        assert_int_equal(writer->buf.size, sizes[i]);
        snakepit_reader reader;
        snakepit_value value;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
        assert_int_equal(value.kind, SNAKEPIT_INTEGER);
        assert_int_equal(value.as.integer, edges[i]);
    }
}

static void the_bytes_are_those_of_the_specification(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "a");
    snakepit_writer_uint(writer, UINT64_MAX);
    snakepit_writer_str(writer, "b");
    snakepit_writer_array(writer, 4);
    snakepit_writer_nil(writer);
    snakepit_writer_bool(writer, true);
    snakepit_writer_bool(writer, false);
    snakepit_writer_double(writer, 1.5);
    snakepit_writer_str(writer, "c");
    snakepit_writer_bytes(writer, "xy", 2);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    BYTES_ARE(writer,
              "\x83\xa1"
              "a\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1"
              "b\x94\xc0\xc3\xc2\xcb\x3f\xf8\0\0\0\0\0\0\xa1"
              "c\xc4\x02xy");
}

static void lengths_of_all_widths_come_back(void **state)
{
    snakepit_writer *writer = *state;
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 70000};
    char *text = calloc(1, 70000);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snakepit_writer_reset(writer);
        snakepit_writer_array(writer, 2);
        snakepit_writer_strn(writer, text, sizes[i]);
        snakepit_writer_bytes(writer, text, sizes[i]);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
        snakepit_reader reader;
        snakepit_value value;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        snakepit_reader_next(&reader, &value);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
        assert_int_equal(value.kind, SNAKEPIT_TEXT);
        assert_int_equal(value.as.text.size, sizes[i]);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
        assert_int_equal(value.kind, SNAKEPIT_BYTES);
        assert_int_equal(value.as.bytes.size, sizes[i]);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_END);
    }
    free(text);
}

static void counts_of_all_widths_come_back(void **state)
{
    snakepit_writer *writer = *state;
    static const uint32_t counts[] = {0, 15, 16, 65535, 65536};
    for (size_t i = 0; i < 2 * sizeof(counts) / sizeof(counts[0]); i++) {
        bool map = i % 2 != 0;
        uint32_t count = counts[i / 2];
        snakepit_writer_reset(writer);
        (map ? snakepit_writer_map : snakepit_writer_array)(writer, count);
        for (uint32_t j = 0; j < count << map; j++) {
            assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
            snakepit_writer_nil(writer);
        }
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
        snakepit_reader reader;
        snakepit_value value;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
        assert_int_equal(value.kind, map ? SNAKEPIT_MAP : SNAKEPIT_ARRAY);
        assert_int_equal(value.as.count, count);
    }
}

static void random_values_come_back(void **state)
{
    snakepit_writer *writer = *state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct chance chance = {seed};
        struct chance again = {seed};
        snakepit_writer_reset(writer);
        write_chance(&chance, writer, 3);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
        snakepit_reader reader;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        snakepit_reader skipper = reader;
        check_chance(&again, &reader, 3);
        assert_ptr_equal(reader.at, reader.end);
        assert_int_equal(snakepit_reader_skip(&skipper), SNAKEPIT_OK);
        assert_ptr_equal(skipper.at, skipper.end);
    }
}

static void a_value_too_few_or_too_many_is_malformed(void **state)
{
    snakepit_writer *writer = *state;
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "key");
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    snakepit_writer_nil(writer);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    size_t size = writer->buf.size;
    snakepit_writer_nil(writer);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    assert_int_equal(writer->buf.size, size);
}

static void the_first_error_sticks_until_reset(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_writer_array(writer, 2);
    snakepit_writer_str(writer, NULL);
    snakepit_writer_map(writer, 1);
    snakepit_writer_array(writer, 1);
    snakepit_writer_int(writer, 1);
    snakepit_writer_uint(writer, 1);
    snakepit_writer_double(writer, 1);
    snakepit_writer_bool(writer, true);
    snakepit_writer_bytes(writer, "a", 1);
    snakepit_writer_tensor(writer,
                           &(snakepit_tensor){"a", SNAKEPIT_UINT8, 0, {0}, {0}});
    assert_int_equal(snakepit_writer_json(writer, "1", 1, NULL),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    BYTES_ARE(writer, "\x92");
    snakepit_writer_reset(writer);
    snakepit_writer_nil(writer);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
}

static void null_bytes_and_texts_too_long_are_refused(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_writer_strn(writer, NULL, 1);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer_reset(writer);
    snakepit_writer_bytes(writer, NULL, 1);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer_reset(writer);
    snakepit_writer_bytes(writer, "", (size_t)UINT32_MAX + 1);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer_reset(writer);
    snakepit_writer_bytes(writer, NULL, 0);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
}

static void nest(snakepit_writer *writer, unsigned depth, uint32_t innermost)
{
    snakepit_writer_reset(writer);
    for (unsigned i = 1; i < depth; i++) {
        snakepit_writer_array(writer, 1);
    }
    snakepit_writer_array(writer, innermost);
    if (innermost != 0) {
        snakepit_writer_nil(writer);
    }
}

static void containers_nest_up_to_the_limit_and_the_reader_agrees(void **state)
{
    snakepit_writer *writer = *state;
    for (uint32_t innermost = 0; innermost < 2; innermost++) {
        nest(writer, SP_DEPTH_MAX, innermost);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
        snakepit_reader reader;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_OK);
        nest(writer, SP_DEPTH_MAX + 1, innermost);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    }
}

static void finished_containers_do_not_count_as_depth(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_writer_array(writer, 1000);
    for (int i = 0; i < 1000; i++) {
        snakepit_writer_array(writer, 1);
        snakepit_writer_map(writer, 1);
        snakepit_writer_nil(writer);
        snakepit_writer_array(writer, 0);
    }
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->depth, 0);
}

static void a_tensor_is_remembered_with_its_place(void **state)
{
    snakepit_writer *writer = *state;
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    snakepit_tensor tensor = {data, SNAKEPIT_FLOAT32, 2, {2, 3}, {0}};
    snakepit_writer_array(writer, 2);
    snakepit_writer_tensor(writer, &tensor);
    tensor.rank = 0;
    snakepit_writer_tensor(writer, &tensor);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 2);
    assert_int_equal(writer->tensors[0].bytes, 24);
    assert_ptr_equal(writer->tensors[0].tensor.data, data);
    assert_int_equal(writer->tensors[0].at, 4);
    assert_int_equal(writer->tensors[1].bytes, 4);
    assert_int_equal(writer->tensors[1].at, 4 + 32 + 3);
    BYTES_ARE(writer,
              "\x92\xc7\x20\x01\x0b\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"
              "\x03\0\0\0\0\0\0\0\xc7\x10\x01\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    sp_tensor_ref_place(
        &writer->tensors[0], writer->buf.data, UINT64_C(0x0102030405060740));
    assert_memory_equal(
        writer->buf.data + 4 + 8, "\x40\x07\x06\x05\x04\x03\x02\x01", 8);
    snakepit_writer_reset(writer);
    assert_int_equal(writer->tensor_count, 0);
}

static void what_is_no_tensor_is_refused(void **state)
{
    snakepit_writer *writer = *state;
    static const snakepit_tensor wrong[] = {
        {"", (snakepit_dtype)0, 0, {0}, {0}},
        {"", (snakepit_dtype)16, 0, {0}, {0}},
        {"", SNAKEPIT_INT8, SNAKEPIT_MAX_RANK + 1, {0}, {0}},
        {"", SNAKEPIT_INT8, 1, {-1}, {0}},
        {"", SNAKEPIT_INT64, 2, {INT64_MAX, 2}, {0}},
        {NULL, SNAKEPIT_INT8, 1, {1}, {0}},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snakepit_writer_reset(writer);
        snakepit_writer_tensor(writer, &wrong[i]);
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    }
    snakepit_writer_reset(writer);
    snakepit_writer_tensor(writer, NULL);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_INVALID_ARGUMENT);
    snakepit_writer_reset(writer);
    snakepit_writer_tensor(writer,
                           &(snakepit_tensor){NULL, SNAKEPIT_INT8, 1, {0}, {0}});
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
}

static void write_much(snakepit_writer *writer)
{
    static const char text[3000];
    static const char *const json = "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],"
                                    "\"data\":\"AA==\"}}";
    snakepit_tensor tensor = {text, SNAKEPIT_INT8, 1, {4}, {0}};
    snakepit_writer_array(writer, 8);
    snakepit_writer_strn(writer, text, sizeof(text));
    for (int i = 0; i < 5; i++) {
        snakepit_writer_tensor(writer, &tensor);
    }
    snakepit_writer_json(writer, json, strlen(json), NULL);
    snakepit_writer_json(writer, "{\"$bytes\":\"AAAA\"}", 17, NULL);
}

static void every_failed_allocation_becomes_an_error(void **state)
{
    (void)state;
    bool failed = true;
    for (long n = 1; failed; n++) {
        sp_memory_fail_at(n);
        snakepit_writer *writer = snakepit_writer_new();
        if (writer != NULL) {
            write_much(writer);
        }
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        snakepit_err expected = failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
        assert_true(writer != NULL || n == 1);
        assert_true(writer == NULL || snakepit_writer_error(writer) == expected);
        snakepit_writer_free(writer);
    }
}

static void a_writer_used_again_allocates_nothing(void **state)
{
    snakepit_writer *writer = *state;
    static const char data[64];
    snakepit_tensor tensor = {data, SNAKEPIT_INT8, 1, {4}, {0}};
    for (int round = 0; round < 2; round++) {
        sp_memory_fail_at(round);
        snakepit_writer_reset(writer);
        snakepit_writer_array(writer, 20);
        for (int i = 0; i < 10; i++) {
            snakepit_writer_tensor(writer, &tensor);
            snakepit_writer_strn(writer, data, sizeof(data));
        }
        assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    }
    sp_memory_fail_at(0);
}

static void a_value_that_was_written_before_goes_in_as_it_is(void **state)
{
    (void)state;
    static const uint8_t map[] = "\x81\xa1x\x92\x01\x02";
    const struct sp_slice value = {map, sizeof map - 1};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_array(writer, 2);
    sp_writer_value(writer, value);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    sp_writer_value(writer, value);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->buf.size, 1 + 2 * value.size);
    assert_memory_equal(writer->buf.data + 1 + value.size, map, value.size);
    sp_writer_value(writer, value);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    snakepit_writer_free(writer);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    snakepit_writer_free(NULL);
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(the_shortest_form_of_an_integer_is_written),
        WITH_WRITER(the_bytes_are_those_of_the_specification),
        WITH_WRITER(lengths_of_all_widths_come_back),
        WITH_WRITER(counts_of_all_widths_come_back),
        WITH_WRITER(random_values_come_back),
        WITH_WRITER(a_value_too_few_or_too_many_is_malformed),
        WITH_WRITER(the_first_error_sticks_until_reset),
        WITH_WRITER(null_bytes_and_texts_too_long_are_refused),
        WITH_WRITER(containers_nest_up_to_the_limit_and_the_reader_agrees),
        WITH_WRITER(finished_containers_do_not_count_as_depth),
        WITH_WRITER(a_tensor_is_remembered_with_its_place),
        WITH_WRITER(what_is_no_tensor_is_refused),
        WITH_WRITER(a_writer_used_again_allocates_nothing),
        cmocka_unit_test(every_failed_allocation_becomes_an_error),
        cmocka_unit_test(a_value_that_was_written_before_goes_in_as_it_is),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
