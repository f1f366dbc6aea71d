// SPDX-License-Identifier: MIT
#include "payload/json.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "payload/reader.h"
#include "payload/wire.h"
#include "payload/writer.h"
#include "values.h"

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

static void check_bytes(const void *bytes, size_t size, const char *json)
{
    snakepit_reader reader;
    struct sp_buf out = {0};
    snakepit_reader_init(&reader, bytes, size);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data, json);
    assert_int_equal(out.size, strlen(json));
    assert_ptr_equal(reader.at, reader.end);
    sp_buf_fini(&out);
}

#define CHECK(literal, json) check_bytes((literal), sizeof(literal) - 1, (json))

static snakepit_err refused(const void *bytes, size_t size)
{
    snakepit_reader reader;
    struct sp_buf out = {0};
    snakepit_reader_init(&reader, bytes, size);
    assert_int_equal(sp_buf_append(&out, "kept", 4), SNAKEPIT_OK);
    snakepit_err err = sp_json_write(&reader, &out, NULL);
    assert_int_equal(out.size, 4);
    sp_buf_fini(&out);
    return err;
}

static void scalars_have_their_json(void **state)
{
    (void)state;
    CHECK("\xc0", "null");
    CHECK("\xc2", "false");
    CHECK("\xc3", "true");
    CHECK("\x00", "0");
    CHECK("\xff", "-1");
    CHECK("\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808");
    CHECK("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807");
    CHECK("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
    CHECK("\xa0", "\"\"");
    CHECK("\xc4\x03\x01\x02\x03", "{\"$bytes\":\"AQID\"}");
    CHECK("\xc4\0", "{\"$bytes\":\"\"}");
    CHECK("\xd4\x07x", "{\"$ext\":\"eA==\"}");
}

static void check_double(snakepit_writer *writer, double value, const char *json)
{
    snakepit_writer_reset(writer);
    snakepit_writer_double(writer, value);
    check_bytes(writer->buf.data, writer->buf.size, json);
}

static void reals_are_short_and_stay_reals(void **state)
{
    check_double(*state, 0.0, "0.0");
    check_double(*state, -0.0, "-0.0");
    check_double(*state, 1.0, "1.0");
    check_double(*state, 0.1, "0.1");
    check_double(*state, 0.1 + 0.2, "0.30000000000000004");
    check_double(*state, 1.0 / 3, "0.3333333333333333");
    check_double(*state, 1e22, "1e+22");
    check_double(*state, -2.5e-10, "-2.5e-10");
    check_double(*state, DBL_MAX, "1.7976931348623157e+308");
    check_double(*state, (double)NAN, "null");
    check_double(*state, (double)INFINITY, "null");
    check_double(*state, (double)-INFINITY, "null");
}

static void the_decimal_point_is_not_the_locales(void **state)
{
    static const char *const commas[] = {
        "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF"};
    for (size_t i = 0; i < sizeof(commas) / sizeof(commas[0]); i++) {
        // Tests what the machine has; a locale that it lacks stays "C".
        setlocale(LC_NUMERIC, commas[i]);
        check_double(*state, 1.5, "1.5");
        check_double(*state, 1e22, "1e+22");
        check_double(*state, 1.0, "1.0");
    }
    setlocale(LC_NUMERIC, "C");
}

static void text_is_escaped_and_repaired(void **state)
{
    (void)state;
    CHECK("\xa5"
          "a\"\\/b",
          "\"a\\\"\\\\/b\"");
    CHECK("\xa7\b\f\n\r\t\0\x1f", "\"\\b\\f\\n\\r\\t\\u0000\\u001f\"");
    CHECK("\xa1\x7f", "\"\x7f\"");
    // Two, three and four bytes, whole.
    CHECK("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d",
          "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d\"");
    CHECK("\xa3\xc3\xa9\n", "\"\xc3\xa9\\n\"");
}

static void invalid_utf8_is_replaced_byte_by_byte(void **state)
{
    (void)state;
#define FFFD "\xef\xbf\xbd"
    CHECK("\xa2x\x80", "\"x" FFFD "\"");                          // a tail alone
    CHECK("\xa2\xc3x", "\"" FFFD "x\"");                          // cut by a letter
    CHECK("\xa1\xc3", "\"" FFFD "\"");                            // cut by the end
    CHECK("\xa2\xe2\x82", "\"" FFFD FFFD "\"");                   // cut by the end
    CHECK("\xa3\xf0\x9f\x90", "\"" FFFD FFFD FFFD "\"");          // cut by the end
    CHECK("\xa2\xc0\x80", "\"" FFFD FFFD "\"");                   // overlong
    CHECK("\xa3\xe0\x9f\xbf", "\"" FFFD FFFD FFFD "\"");          // overlong
    CHECK("\xa4\xf0\x8f\xbf\xbf", "\"" FFFD FFFD FFFD FFFD "\""); // overlong
    CHECK("\xa3\xed\xa0\x80", "\"" FFFD FFFD FFFD "\"");          // a surrogate
    CHECK("\xa4\xf4\x90\x80\x80", "\"" FFFD FFFD FFFD FFFD "\""); // over U+10FFFF
    CHECK("\xa1\xff", "\"" FFFD "\"");
    CHECK("\xa3\xed\x9f\xbf", "\"\xed\x9f\xbf\"");         // the last before them
    CHECK("\xa4\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""); // the last of all
#undef FFFD
}

static void containers_have_no_blanks(void **state)
{
    (void)state;
    CHECK("\x90", "[]");
    CHECK("\x80", "{}");
    CHECK("\x93\x01\x91\xc0\x81\xa1"
          "a\x90",
          "[1,[null],{\"a\":[]}]");
    CHECK("\x82\xa1"
          "a\x01\xa1"
          "b\x02",
          "{\"a\":1,\"b\":2}");
}

static void a_key_that_is_no_text_is_its_own_json(void **state)
{
    (void)state;
    CHECK("\x84\x01\xc0\xc0\xc3\xc3\x02\xcb\x3f\xf8\0\0\0\0\0\0\x03",
          "{\"1\":null,\"null\":true,\"true\":2,\"1.5\":3}");
    CHECK("\x81\x92\x01\xa1"
          "a\xc0",
          "{\"[1,\\\"a\\\"]\":null}");
    CHECK("\x81\xc4\x01x\xc0", "{\"{\\\"$bytes\\\":\\\"eA==\\\"}\":null}");
    CHECK("\x81\x81\xa1"
          "a\x01\xc0",
          "{\"{\\\"a\\\":1}\":null}");
    // Once is enough: the backslashes would double each time.
    assert_int_equal(refused("\x81\x81\x01\x02\xc0", 5), SNAKEPIT_UNSERIALISABLE);
}

static void check_told(const void *bytes, size_t size, const char *told)
{
    snakepit_reader reader;
    snakepit_message why;
    snakepit_reader_init(&reader, bytes, size);
    assert_int_equal(snakepit_reader_explain_json(&reader, &why),
                     told[0] == '\0' ? SNAKEPIT_OK : SNAKEPIT_UNSERIALISABLE);
    assert_string_equal(why.text, told);
    assert_ptr_equal(reader.at, bytes);
}

#define CHECK_TOLD(literal, told) check_told((literal), sizeof(literal) - 1, (told))

static void keys_that_become_the_same_are_refused_with_their_place(void **state)
{
    (void)state;
    static const char number_last[] = "\x82\xa1"
                                      "1\x02\x01\x03";
    assert_int_equal(refused(number_last, sizeof number_last - 1),
                     SNAKEPIT_UNSERIALISABLE);
    CHECK_TOLD("\x82\xa1"
               "1\x02\x01\x03",
               "JSON has texts as keys alone, and two keys arrive as \"1\"; make them "
               "differ, or read the MessagePack");
    CHECK_TOLD("\x81\xa1m\x92\x01\x83\xc0\x02\xa1x\x80\xa4null\x03",
               "JSON has texts as keys alone, and two keys arrive as \"null\" at "
               ".m[1]; make them differ, or read the MessagePack");
    CHECK_TOLD(
        "\x92\x01\x81\x81\x01\x02\xc0",
        "JSON has texts as keys alone, and a map that is a key has a key that "
        "is not a text at [1]{key 1}; make them differ, or read the MessagePack");
    // Not of one map, or not the same text: 1.0 is written with its point.
    CHECK_TOLD("\x83\x01\x81\xa1"
               "1\x02\xa1"
               "a\x81\x02\x03\xa3"
               "1.5\x04",
               "");
    CHECK_TOLD("\x82\xcb\x3f\xf0\0\0\0\0\0\0\x02\x01\x03", "");
}

static void many_keys_are_compared_too(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_message why;
    snakepit_reader reader;
    snakepit_writer_map(writer, 1001);
    for (int i = 0; i < 1000; i++) {
        snakepit_writer_int(writer, i);
        snakepit_writer_nil(writer);
    }
    snakepit_writer_str(writer, "640");
    snakepit_writer_nil(writer);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(snakepit_reader_explain_json(&reader, &why),
                     SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "two keys arrive as \"640\";"));
}

static void a_tensor_shows_its_packed_elements(void **state)
{
    (void)state;
    static _Alignas(SP_TENSOR_ALIGN) const uint8_t memory[6] = {1, 0, 2, 0, 3, 0};
    static const char ext[] = "\xc7\x20\x01\x03\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";
    snakepit_reader reader;
    struct sp_buf out = {0};
    sp_reader_init(&reader,
                   (struct sp_slice){(const uint8_t *)ext, sizeof(ext) - 1},
                   (struct sp_slice){memory, sizeof(memory)});
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data,
                        "{\"$tensor\":{\"dtype\":\"int16\",\"shape\":[3,1],"
                        "\"data\":\"AQACAAMA\"}}");
    sp_buf_fini(&out);
}

static void it_appends_and_goes_on_behind_the_value(void **state)
{
    (void)state;
    snakepit_reader reader;
    struct sp_buf out = {0};
    snakepit_reader_init(&reader, "\x01\x02", 2);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_END);
    assert_string_equal((const char *)out.data, "12");
    sp_buf_fini(&out);
}

static void malformed_bytes_leave_no_text(void **state)
{
    (void)state;
    assert_int_equal(refused("", 0), SNAKEPIT_END);
    assert_int_equal(refused("\xc1", 1), SNAKEPIT_MALFORMED);
    assert_int_equal(refused("\x92\x01\xc1", 3), SNAKEPIT_MALFORMED);
    assert_int_equal(refused("\x82\x01\x02\xc1\x02", 5), SNAKEPIT_MALFORMED);
    assert_int_equal(refused("\x92\x92\x01\x02", 4), SNAKEPIT_MALFORMED);
}

static void the_depth_has_a_limit(void **state)
{
    (void)state;
    char bytes[SP_DEPTH_MAX + 1];
    memset(bytes, 0x91, sizeof(bytes));
    bytes[SP_DEPTH_MAX] = (char)0x90;
    assert_int_equal(refused(bytes, sizeof(bytes)), SNAKEPIT_MALFORMED);
    snakepit_reader reader;
    struct sp_buf out = {0};
    snakepit_reader_init(&reader, bytes + 1, sizeof(bytes) - 1);
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_OK);
    assert_int_equal(out.size, 2 * SP_DEPTH_MAX);
    sp_buf_fini(&out);
}

static void a_few_bytes_cannot_become_gigabytes(void **state)
{
    (void)state;
    // 40 tensors that are all the same 64 MiB.
    size_t size = UINT32_C(64) << 20;
    uint8_t *memory = aligned_alloc(SP_TENSOR_ALIGN, size);
    memset(memory, 1, size);
    uint8_t bytes[3 + 40 * 27] = {0xdc, 0, 40};
    for (size_t i = 0; i < 40; i++) {
        static const char ext[] =
            "\xc7\x18\x01\x06\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04";
        memcpy(bytes + 3 + 27 * i, ext, sizeof(ext) - 1);
    }
    snakepit_reader reader;
    struct sp_buf out = {0};
    sp_reader_init(&reader,
                   (struct sp_slice){bytes, sizeof(bytes)},
                   (struct sp_slice){memory, size});
    assert_int_equal(sp_json_write(&reader, &out, NULL), SNAKEPIT_NO_MEMORY);
    assert_int_equal(out.size, 0);
    sp_buf_fini(&out);
    free(memory);
}

static void every_failed_allocation_becomes_an_error(void **state)
{
    snakepit_writer *writer = *state;
    static const char text[3000] = {'a'};
    snakepit_writer_map(writer, 1);
    snakepit_writer_int(writer, 1);
    snakepit_writer_strn(writer, text, sizeof(text));
    bool failed = true;
    for (long n = 1; failed; n++) {
        snakepit_reader reader;
        struct sp_buf out = {0};
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        sp_memory_fail_at(n);
        snakepit_err err = sp_json_write(&reader, &out, NULL);
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_buf_fini(&out);
    }
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_have_their_json),
        WITH_WRITER(reals_are_short_and_stay_reals),
        WITH_WRITER(the_decimal_point_is_not_the_locales),
        cmocka_unit_test(text_is_escaped_and_repaired),
        cmocka_unit_test(invalid_utf8_is_replaced_byte_by_byte),
        cmocka_unit_test(containers_have_no_blanks),
        cmocka_unit_test(a_key_that_is_no_text_is_its_own_json),
        cmocka_unit_test(keys_that_become_the_same_are_refused_with_their_place),
        cmocka_unit_test_setup_teardown(many_keys_are_compared_too, set_up, tear_down),
        cmocka_unit_test(a_tensor_shows_its_packed_elements),
        cmocka_unit_test(it_appends_and_goes_on_behind_the_value),
        cmocka_unit_test(malformed_bytes_leave_no_text),
        cmocka_unit_test(the_depth_has_a_limit),
        cmocka_unit_test(a_few_bytes_cannot_become_gigabytes),
        WITH_WRITER(every_failed_allocation_becomes_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
