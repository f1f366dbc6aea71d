// SPDX-License-Identifier: MIT
#include "http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "payload/writer.h"

static snakepit_writer *writer;
static snakepit_message why;

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
    return 0;
}

static snakepit_err read_body(struct sp_slice bytes, enum sp_media media)
{
    const struct sp_body body = {bytes, media, .most_values = 8};
    return sp_body_read(&body, writer, &why);
}

static snakepit_err read_bytes(const void *bytes, size_t size)
{
    snakepit_writer_reset(writer);
    return read_body((struct sp_slice){bytes, size}, SP_MEDIA_MSGPACK);
}

#define READ(bytes) read_bytes(bytes, sizeof(bytes) - 1)

static void json_is_read_without_a_zero_behind_it(void **state)
{
    (void)state;
    const struct sp_slice body = {(const uint8_t *)"{\"a\":1}garbage", 7};
    assert_int_equal(read_body(body, SP_MEDIA_JSON), SNAKEPIT_OK);
    assert_memory_equal(writer->buf.data, "\x81\xa1\x61\x01", 4);
    snakepit_writer_reset(writer);
    assert_int_equal(read_body((struct sp_slice){body.data, 8}, SP_MEDIA_JSON),
                     SNAKEPIT_MALFORMED);
    assert_true(why.text[0] != '\0');
}

static void messagepack_crosses_as_it_is(void **state)
{
    (void)state;
    // Not the shortest form of 1, and so not what a writer would write.
    assert_int_equal(READ("\x81\xa1\x61\xcd\x00\x01"), SNAKEPIT_OK);
    assert_int_equal(writer->buf.size, 6);
    assert_memory_equal(writer->buf.data, "\x81\xa1\x61\xcd\x00\x01", 6);
}

static void what_is_not_one_value_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(READ(""), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x81\xa1\x61"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x80\x80"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\xc1"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x81\xa1\x61\xd4\x05\x00"), SNAKEPIT_MALFORMED); // ext 5
    assert_non_null(strstr(why.text, "ext type"));
    uint8_t deep[200];
    memset(deep, 0x91, sizeof deep);
    deep[sizeof deep - 1] = 0xc0;
    assert_int_equal(read_bytes(deep, sizeof deep), SNAKEPIT_MALFORMED);
}

// {"a": {"$tensor": {"dtype": "int16", "shape": [2], "data": 4 bytes}}}
#define TENSOR                            \
    "\x81\xa1\x61\x81\xa7$tensor\x83\xa5" \
    "dtype\xa5int16\xa5shape\x91\x02\xa4" \
    "data\xc4\x04\x01\x00\x02\x00"

static void a_tensor_is_not_copied(void **state)
{
    (void)state;
    static const char body[] = TENSOR;
    assert_int_equal(read_bytes(body, sizeof body - 1), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 1);
    assert_int_equal(writer->tensors[0].tensor.dtype, SNAKEPIT_INT16);
    assert_int_equal(writer->tensors[0].tensor.shape[0], 2);
    assert_ptr_equal(writer->tensors[0].tensor.data, body + sizeof body - 1 - 4);
}

static void a_tensor_must_be_right(void **state)
{
    (void)state;
    char body[] = TENSOR;
    for (size_t i = 0; i + 4 < sizeof body - 1; i++) {
        char changed[sizeof body];
        memcpy(changed, body, sizeof body);
        changed[i] ^= 1;
        snakepit_err err = read_bytes(changed, sizeof body - 1);
        // Some changes give another body that is right.
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
                    err == SNAKEPIT_INVALID_ARGUMENT);
        assert_true((why.text[0] == '\0') == (err == SNAKEPIT_OK));
    }
    assert_int_equal(READ("\x81\xa7$tensor\xc0"), SNAKEPIT_MALFORMED);
    assert_int_equal(READ("\x81\xa7$tensor\x80"), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "shape"));
}

static void marks_can_be_said(void **state)
{
    (void)state;
    assert_int_equal(READ("\x81\xa8$$tensor\x01"), SNAKEPIT_OK);
    assert_memory_equal(writer->buf.data, "\x81\xa7$tensor\x01", 10);
    snakepit_reader reader;
    struct sp_buf room = {0};
    struct sp_slice bytes;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_OK);
    assert_int_equal(bytes.size, 11);
    assert_memory_equal(bytes.data, "\x81\xa8$$tensor\x01", 11);
    sp_buf_fini(&room);
}

static void an_answer_without_tensors_is_not_copied(void **state)
{
    (void)state;
    static const uint8_t value[] = "\x92\x01\xc4\x01\xff\x05";
    snakepit_reader reader;
    struct sp_buf room = {0};
    struct sp_slice bytes;
    snakepit_reader_init(&reader, value, sizeof value - 1);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_OK);
    assert_ptr_equal(bytes.data, value);
    assert_int_equal(bytes.size, 5); // and not what comes behind it
    assert_null(room.data);
    snakepit_reader_init(&reader, "\x92", 1);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_MALFORMED);
}

static void an_ext_of_an_answer_is_named(void **state)
{
    (void)state;
    static const uint8_t value[] = "\x91\xd4\x05\x07";
    snakepit_reader reader;
    struct sp_buf room = {0};
    struct sp_slice bytes;
    snakepit_reader_init(&reader, value, sizeof value - 1);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_OK);
    assert_int_equal(bytes.size, 10);
    assert_memory_equal(bytes.data, "\x91\x81\xa4$ext\xc4\x01\x07", 10);
    sp_buf_fini(&room);
    sp_memory_fail_at(1);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(2);
    assert_int_equal(sp_body_msgpack(&reader, &room, &bytes), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
}

// Eight of them; pairs count once.
static void values_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(READ("\x98\1\2\3\4\5\6\7\x08"), SNAKEPIT_OK);
    assert_int_equal(READ("\x99\1\2\3\4\5\6\7\x08\x09"), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "8 values that `serve: max_values`"));
    assert_int_equal(READ("\x82\xa1\x61\x93\1\2\3\xa1\x62\x93\1\2\3"), SNAKEPIT_OK);
    assert_int_equal(READ("\x82\xa1\x61\x93\1\2\3\xa1\x62\x94\1\2\3\4"),
                     SNAKEPIT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            json_is_read_without_a_zero_behind_it, fresh, done),
        cmocka_unit_test_setup_teardown(messagepack_crosses_as_it_is, fresh, done),
        cmocka_unit_test_setup_teardown(
            what_is_not_one_value_is_malformed, fresh, done),
        cmocka_unit_test_setup_teardown(values_have_a_limit, fresh, done),
        cmocka_unit_test_setup_teardown(a_tensor_is_not_copied, fresh, done),
        cmocka_unit_test_setup_teardown(a_tensor_must_be_right, fresh, done),
        cmocka_unit_test_setup_teardown(marks_can_be_said, fresh, done),
        cmocka_unit_test(an_answer_without_tensors_is_not_copied),
        cmocka_unit_test(an_ext_of_an_answer_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
