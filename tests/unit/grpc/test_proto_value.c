// SPDX-License-Identifier: MIT
#include "grpc/proto_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "payload/json.h"
#include "payload/writer.h"

static snakepit_writer *writer;
static snakepit_message why;
static struct sp_buf out;

static int fresh(void **state)
{
    (void)state;
    writer = snakepit_writer_new();
    return 0;
}

static int done(void **state)
{
    (void)state;
    snakepit_writer_free(writer);
    sp_buf_fini(&out);
    return 0;
}

static snakepit_err read_bytes(const void *bytes, size_t size)
{
    snakepit_writer_reset(writer);
    sp_proto_value_read((struct sp_slice){bytes, size}, writer);
    return snakepit_writer_explain(writer, &why);
}

#define READ(bytes) read_bytes(bytes, sizeof(bytes) - 1)

static void assert_written(const char *msgpack, size_t size)
{
    assert_int_equal(writer->buf.size, size);
    assert_memory_equal(writer->buf.data, msgpack, size);
}

#define ASSERT_READ(bytes, msgpack)                   \
    do {                                              \
        assert_int_equal(READ(bytes), SNAKEPIT_OK);   \
        assert_written(msgpack, sizeof(msgpack) - 1); \
    } while (0)

// The Value of a JSON text, in `out`.
static snakepit_err write_json(const char *json)
{
    snakepit_reader reader;
    snakepit_writer_reset(writer);
    out.size = 0;
    assert_int_equal(snakepit_writer_json(writer, json, strlen(json), &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    return sp_proto_value_write(&reader, &out, &why);
}

static void assert_json(const char *wanted)
{
    struct sp_buf text = {0};
    snakepit_reader reader;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(sp_json_write(&reader, &text, NULL), SNAKEPIT_OK);
    assert_string_equal((const char *)text.data, wanted);
    sp_buf_fini(&text);
}

static void every_kind_is_read(void **state)
{
    (void)state;
    ASSERT_READ("", "\xc0");
    ASSERT_READ("\x08\x00", "\xc0");
    ASSERT_READ("\x20\x01", "\xc3");
    ASSERT_READ("\x20\x00", "\xc2");
    ASSERT_READ("\x1a\x02hi", "\xa2hi");
    ASSERT_READ("\x2a\x00", "\x80");
    ASSERT_READ("\x32\x00", "\x90");
    ASSERT_READ("\x32\x08\x0a\x02\x20\x01\x0a\x02\x08\x00", "\x92\xc3\xc0");
    ASSERT_READ("\x2a\x12\x0a\x07\x0a\x01"
                "a\x12\x02\x20\x01\x0a\x07\x0a\x01"
                "b\x12\x02\x08\x00",
                "\x82\xa1"
                "a\xc3\xa1"
                "b\xc0");
    ASSERT_READ("\x2a\x02\x0a\x00", "\x81\xa0\xc0"); // neither key nor value
}

static void read_number(double number)
{
    uint8_t bytes[9] = {0x11};
    memcpy(bytes + 1, &number, sizeof number);
    assert_int_equal(read_bytes(bytes, sizeof bytes), SNAKEPIT_OK);
}

static void numbers_that_are_whole_are_integers(void **state)
{
    (void)state;
    read_number(3.0);
    assert_written("\x03", 1);
    read_number(-1.0);
    assert_written("\xff", 1);
    read_number(9007199254740992.0);
    assert_written("\xcf\x00\x20\x00\x00\x00\x00\x00\x00", 9);
    read_number(9007199254740994.0);
    assert_int_equal(writer->buf.data[0], 0xcb);
    read_number(0.5);
    assert_int_equal(writer->buf.data[0], 0xcb);
    read_number(-0.0);
    assert_written("\xcb\x80\x00\x00\x00\x00\x00\x00\x00", 9);
    read_number((double)NAN);
    assert_int_equal(writer->buf.data[0], 0xcb);
    read_number((double)-INFINITY);
    assert_written("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00", 9);
}

static void the_last_kind_counts_and_containers_are_merged(void **state)
{
    (void)state;
    ASSERT_READ("\x20\x01\x1a\x01x", "\xa1x");
    ASSERT_READ("\x1a\x01x\x1a\x01y\x28\x05", "\xa1y"); // 5 is no number
    ASSERT_READ("\x32\x04\x0a\x02\x20\x01\x32\x04\x0a\x02\x20\x00", "\x92\xc3\xc2");
    ASSERT_READ("\x32\x04\x0a\x02\x20\x01\x20\x01\x32\x04\x0a\x02\x20\x00", "\x91\xc2");
    ASSERT_READ("\x7a\x01z\x32\x04\x0a\x02\x20\x01\x7a\x01z", "\x91\xc3");
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    assert_int_equal(READ("\x08"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x1a\x02x"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x1a\x01\xff"), SNAKEPIT_MALFORMED);
    assert_string_equal(why.text, "a text is not UTF-8");
    assert_int_equal(READ("\x2a\x05\x0a\x03\x0a\x01\xff"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x2a\x01\x0a"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x2a\x02\x0a\x01"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x32\x03\x0a\x01\x08"), SNAKEPIT_MALFORMED);
    assert_string_equal(why.text, "the bytes are not a google.protobuf.Value (at [0])");
    assert_int_equal(READ("\x0c"), SNAKEPIT_MALFORMED);
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(READ("\x2a\x12\x0a\x07\x0a\x01"
                          "a\x12\x02\x20\x01\x0a\x07\x0a\x01"
                          "a\x12\x02\x08\x00"),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "equal"));
}

static void values_are_so_deep_and_no_deeper(void **state)
{
    (void)state;
    static uint8_t bytes[2048];
    for (size_t lists = 127; lists < 131; lists++) {
        uint8_t *at = bytes + sizeof bytes;
        size_t size = 0;
        for (size_t i = 0; i < 2 * lists - 1; i++) {
            const size_t head = size < 128 ? 2 : 3;
            at -= head;
            at[0] = i % 2 == 0 ? 0x32 : 0x0a;
            at[1] = (uint8_t)(head == 2 ? size : (size & 0x7f) | 0x80);
            if (head == 3) {
                at[2] = (uint8_t)(size >> 7);
            }
            size += head;
        }
        assert_int_equal(read_bytes(at, size),
                         lists <= 128 ? SNAKEPIT_OK : SNAKEPIT_INVALID_ARGUMENT);
    }
}

static void every_kind_comes_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "-1.5",
        "9007199254740992",
        "-9007199254740992",
        "\"h\\u00e9\"",
        "[]",
        "{}",
        "[1,[2,[3]],{\"a\":{\"b\":null},\"c\":\"\"}]",
        "{\"$bytes\":\"AAE=\"}",
        "{\"$$bytes\":\"AAE=\"}",
        "{\"$$$bytes\":\"AAE=\"}",
        "{\"$$uint\":\"5\"}",
        "{\"$bytes\":5}",
        "{\"$$tensor\":{}}",
        "{\"$tensor\":\"name\"}",
        "{\"a\":{\"$bytes\":\"\"},\"$bytes\":\"AAE=\"}",
        "[18446744073709551615,9007199254740993]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snakepit_writer *first = writer;
        assert_int_equal(write_json(texts[i]), SNAKEPIT_OK);
        struct sp_buf before = {0};
        assert_int_equal(sp_buf_append(&before, first->buf.data, first->buf.size),
                         SNAKEPIT_OK);
        assert_int_equal(read_bytes(out.data, out.size), SNAKEPIT_OK);
        assert_int_equal(writer->buf.size, before.size);
        assert_memory_equal(writer->buf.data, before.data, before.size);
        sp_buf_fini(&before);
    }
}

static void what_value_cannot_say_is_said_as_in_json(void **state)
{
    (void)state;
    assert_int_equal(write_json("9007199254740993"), SNAKEPIT_OK);
    assert_int_equal(read_bytes(out.data, out.size), SNAKEPIT_OK);
    assert_json("9007199254740993");
    // A struct of one entry, "$uint" to a text.
    assert_int_equal(out.data[0], 0x2a);
    assert_memory_equal(out.data + 4, "\x0a\x05$uint\x12\x12\x1a\x10", 11);
    assert_int_equal(write_json("-9007199254740993"), SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "FORM_JSON"));
}

static void an_inline_tensor_is_read(void **state)
{
    (void)state;
    // {"$tensor": {"dtype": "int8", "shape": [2], "data": "AAE="}}
    static const char value[] =
        "\x2a\x44\x0a\x42\x0a\x07$tensor\x12\x37\x2a\x35"
        "\x0a\x0f\x0a\x05"
        "dtype\x12\x06\x1a\x04int8"
        "\x0a\x12\x0a\x05shape\x12\x09\x32\x07\x0a\x05\x08\x00\x1a\x01x"
        "\x0a\x0e\x0a\x04"
        "data\x12\x06\x1a\x04"
        "AAE=";
    assert_int_equal(READ(value), SNAKEPIT_MALFORMED); // the shape is a text
    assert_non_null(strstr(why.text, "$tensor needs a dtype"));
    char right[sizeof value + 16];
    // The shape as the number 2.
    static const char shape[] =
        "\x0a\x16\x0a\x05shape\x12\x0d\x32\x0b\x0a\x09\x11\x00\x00"
        "\x00\x00\x00\x00\x00\x40";
    static const char head[] = "\x2a\x48\x0a\x46\x0a\x07$tensor\x12\x3b\x2a\x39";
    static const char dtype[] = "\x0a\x0f\x0a\x05"
                                "dtype\x12\x06\x1a\x04int8";
    static const char data[] = "\x0a\x0e\x0a\x04"
                               "data\x12\x06\x1a\x04"
                               "AAE=";
    size_t size = 0;
#define PUT(part)                                     \
    do {                                              \
        memcpy(right + size, part, sizeof(part) - 1); \
        size += sizeof(part) - 1;                     \
    } while (0)
    PUT(head);
    PUT(dtype);
    PUT(shape);
    PUT(data);
#undef PUT
    assert_int_equal(read_bytes(right, size), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 1);
    assert_int_equal(writer->tensors[0].tensor.shape[0], 2);
    assert_memory_equal(writer->tensors[0].tensor.data, "\x00\x01", 2);
}

static void texts_of_answers_become_utf8(void **state)
{
    (void)state;
    snakepit_reader reader;
    static const char value[] = "\x81\xa2\xff"
                                "a\xa3x\xed\xa0";
    snakepit_reader_init(&reader, value, sizeof value - 1);
    assert_int_equal(sp_proto_value_write(&reader, &out, &why), SNAKEPIT_OK);
    assert_int_equal(read_bytes(out.data, out.size), SNAKEPIT_OK);
    assert_written("\x81\xa4\xef\xbf\xbd"
                   "a\xa7x\xef\xbf\xbd\xef\xbf\xbd",
                   14);
}

static void keys_must_be_texts_and_bytes_messagepack(void **state)
{
    (void)state;
    snakepit_reader reader;
    snakepit_reader_init(&reader, "\x81\x01\x02", 3);
    assert_int_equal(sp_proto_value_write(&reader, &out, &why),
                     SNAKEPIT_UNSERIALISABLE);
    snakepit_reader_init(&reader, "\x92\x01", 2);
    assert_int_equal(sp_proto_value_write(&reader, &out, &why), SNAKEPIT_MALFORMED);
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    snakepit_reader reader;
    snakepit_err err;
    long n = 0;
    static uint8_t bytes[4000];
    bytes[0] = 0xda; // a text
    bytes[1] = 0x0f;
    bytes[2] = 0x00;
    bytes[3] = 0xff;
    do {
        sp_buf_fini(&out);
        snakepit_reader_init(&reader, bytes, 3 + 0x0f00);
        sp_memory_fail_at(++n);
        err = sp_proto_value_write(&reader, &out, &why);
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
    } while (err != SNAKEPIT_OK);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_is_read, fresh, done),
        cmocka_unit_test_setup_teardown(
            numbers_that_are_whole_are_integers, fresh, done),
        cmocka_unit_test_setup_teardown(
            the_last_kind_counts_and_containers_are_merged, fresh, done),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused, fresh, done),
        cmocka_unit_test_setup_teardown(
            a_key_that_stands_twice_is_refused, fresh, done),
        cmocka_unit_test_setup_teardown(values_are_so_deep_and_no_deeper, fresh, done),
        cmocka_unit_test_setup_teardown(every_kind_comes_back, fresh, done),
        cmocka_unit_test_setup_teardown(
            what_value_cannot_say_is_said_as_in_json, fresh, done),
        cmocka_unit_test_setup_teardown(an_inline_tensor_is_read, fresh, done),
        cmocka_unit_test_setup_teardown(texts_of_answers_become_utf8, fresh, done),
        cmocka_unit_test_setup_teardown(
            keys_must_be_texts_and_bytes_messagepack, fresh, done),
        cmocka_unit_test_setup_teardown(memory_may_be_missing, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
