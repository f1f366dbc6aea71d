// SPDX-License-Identifier: MIT
#include <float.h>

#include "base/memory.h"
#include "payload/json.h"
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

static snakepit_err
read_text(snakepit_writer *writer, const char *json, snakepit_message *why)
{
    snakepit_writer_reset(writer);
    return snakepit_writer_json(writer, json, strlen(json), why);
}

static void check_back(snakepit_writer *writer, const char *json, const char *expected)
{
    snakepit_reader reader;
    struct sp_buf out = {0};
    assert_int_equal(read_text(writer, json, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(sp_json_write(&reader, &out), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data, expected);
    sp_buf_fini(&out);
}

static void values_of_all_kinds_come_back(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "-0.0",
        "1e+300",
        "\"\"",
        "\"\\u0000\\n\\\"\\\\\"",
        "\"\xf0\x9f\x90\x8d\"",
        "[]",
        "{}",
        "[1,[2,[3,{\"a\":{\"b\":[]}}]]]",
        "{\"x\":1,\"name\":\"snake\",\"n\":3}",
        "{\"$bytes\":\"AQID\"}",
        "{\"$bytes\":\"\"}",
        "{\"$bytes\":1}",
        "{\"$bytes\":\"AQID\",\"b\":1}",
        "{\"$other\":\"AQID\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_back(*state, texts[i], texts[i]);
    }
    check_back(*state, " [ 1 , 2 ] ", "[1,2]");
}

static void integers_over_int64_stay_integers(void **state)
{
    static const char *const texts[] = {
        "9223372036854775808",
        "18446744073709551615",
        "[18446744073709551615,\"18446744073709551615\",-5,18446744073709551614]",
        "{\"a\\\"18446744073709551615\":18446744073709551615}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_back(*state, texts[i], texts[i]);
    }
}

static void integers_over_64_bits_are_malformed(void **state)
{
    static const char *const texts[] = {
        "18446744073709551616",
        "-9223372036854775809",
        "100000000000000000000000",
        "[018446744073709551615]",
        "1e999",
        "[18446744073709551615,99999999999999999999]",
        "[18446744073709551615",
        "{18446744073709551615:1}",
        "{\"$uint\":\"-1\"}",
        "{\"$uint\":\" 1\"}",
        "{\"$uint\":\"\"}",
        "{\"$uint\":\"1x\"}",
        "{\"$uint\":\"18446744073709551616\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snakepit_message why = {{0}};
        assert_int_equal(read_text(*state, texts[i], &why), SNAKEPIT_MALFORMED);
        assert_true(why.text[0] != '\0');
    }
}

static void what_is_no_json_is_malformed_and_its_place_is_named(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "[1,]",
                                        "nul",
                                        "1 2",
                                        "\"\xff\"",
                                        "'a'",
                                        "{\"a\":1,}",
                                        "[NaN]",
                                        "\"a",
                                        "01",
                                        "\"\n\"",
                                        "\"\\ud800\"",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\\u0000\":1}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snakepit_message why = {{0}};
        assert_int_equal(read_text(*state, texts[i], &why), SNAKEPIT_MALFORMED);
        assert_int_equal(snakepit_writer_error(*state), SNAKEPIT_MALFORMED);
        assert_memory_equal(why.text, "line ", 5);
    }
    snakepit_message why;
    assert_int_equal(read_text(*state, "{\n  \"a\": oops}", &why), SNAKEPIT_MALFORMED);
    assert_memory_equal(why.text, "line 2, column ", 15);
}

static void a_missing_text_is_an_invalid_argument(void **state)
{
    snakepit_message why;
    assert_int_equal(snakepit_writer_json(*state, NULL, 0, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_true(why.text[0] != '\0');
}

static void a_tensor_comes_back_with_memory_of_its_own(void **state)
{
    snakepit_writer *writer = *state;
    char json[] =
        "{\"$tensor\":{\"dtype\":\"int16\",\"shape\":[3,1],\"data\":\"AQACAAMA\"}}";
    assert_int_equal(read_text(writer, json, NULL), SNAKEPIT_OK);
    memset(json, 0, sizeof(json));
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 1);
    const struct sp_tensor_ref *ref = &writer->tensors[0];
    assert_int_equal(ref->bytes, 6);
    assert_int_equal(ref->tensor.dtype, SNAKEPIT_INT16);
    assert_int_equal(ref->tensor.rank, 2);
    assert_int_equal(ref->tensor.shape[0], 3);
    assert_memory_equal(ref->tensor.data, "\x01\0\x02\0\x03", 6);
    assert_int_equal((uintptr_t)ref->tensor.data % 16, 0);
    static const char *const empty =
        "{\"$tensor\":{\"dtype\":\"bool\",\"shape\":[0],\"data\":\"\"}}";
    assert_int_equal(read_text(writer, empty, NULL), SNAKEPIT_OK);
}

static void a_tensor_that_contradicts_itself_is_malformed(void **state)
{
    static const char *const inside[] = {
        "",
        "\"dtype\":\"int8\"",
        "\"dtype\":\"int8\",\"shape\":[1]",
        "\"dtype\":\"int7\",\"shape\":[1],\"data\":\"AA==\"",
        "\"dtype\":1,\"shape\":[1],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":1,\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[1.0],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[-1],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[2],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA=\"",
        "\"dtype\":\"int8\",\"shape\":[1],\"data\":[0]",
        "\"dtype\":\"int8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data\":\"AA==\"",
        "\"dtype\":\"int64\",\"shape\":[9223372036854775807],\"data\":\"AA==\"",
    };
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        char json[256];
        snakepit_message why;
        snprintf(json, sizeof(json), "{\"$tensor\":{%s}}", inside[i]);
        assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
        assert_memory_equal(why.text, "$tensor ", 8);
    }
    snakepit_message why;
    assert_int_equal(read_text(*state, "{\"$bytes\":\"A\"}", &why), SNAKEPIT_MALFORMED);
    assert_string_equal(why.text, "$bytes is not base64");
}

static void what_is_refused_is_named_by_its_way(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } rows[] = {
        {"{\"a\":{\"b\":[0,{\"$bytes\":\"A\"}]}}", "$bytes is not base64 (at .a.b[1])"},
        {"[[{\"$uint\":\"x\"}]]", "$uint is not an integer of 64 bits (at [0][0])"},
        {"[1,[2,[3,[4,[5,[6,[7,[8,[9,{\"$bytes\":\"A\"}]]]]]]]]]",
         "$bytes is not base64 (at ...[1][1][1][1][1][1][1][1])"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snakepit_message why;
        assert_int_equal(read_text(*state, rows[i].json, &why), SNAKEPIT_MALFORMED);
        assert_string_equal(why.text, rows[i].why);
    }
}

static void nest(char *json, size_t depth)
{
    memset(json, '[', depth);
    memset(json + depth, ']', depth);
    json[2 * depth] = '\0';
}

static void the_depth_has_a_limit(void **state)
{
    char json[20001];
    snakepit_message why;
    nest(json, SP_DEPTH_MAX);
    assert_int_equal(read_text(*state, json, &why), SNAKEPIT_OK);
    nest(json, SP_DEPTH_MAX + 1);
    assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "128"));
    nest(json, 10000);
    assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
}

static void json_is_one_value_among_others(void **state)
{
    snakepit_writer *writer = *state;
    snakepit_writer_array(writer, 2);
    assert_int_equal(snakepit_writer_json(writer, "{\"a\":1}", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_MALFORMED);
    assert_int_equal(snakepit_writer_json(writer, "[]", 2, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_memory_equal(writer->buf.data,
                        "\x92\x81\xa1"
                        "a\x01\x90",
                        6);
    snakepit_message why;
    assert_int_equal(snakepit_writer_json(writer, "1", 1, &why), SNAKEPIT_MALFORMED);
    assert_true(why.text[0] != '\0');
}

static void random_values_come_back_from_their_json(void **state)
{
    snakepit_writer *writer = *state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct chance chance = {seed};
        struct sp_buf first = {0};
        snakepit_reader reader;
        snakepit_writer_reset(writer);
        write_chance(&chance, writer, 3);
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        snakepit_err err = sp_json_write(&reader, &first);
        // Random keys may be the same twice, or maps in keys of keys.
        if (err == SNAKEPIT_OK &&
            read_text(writer, (char *)first.data, NULL) == SNAKEPIT_OK) {
            check_back(writer, (char *)first.data, (char *)first.data);
        }
        sp_buf_fini(&first);
    }
}

static void random_doubles_come_back_exactly(void **state)
{
    snakepit_writer *writer = *state;
    struct chance chance = {11};
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = chance_next(&chance);
        double value;
        memcpy(&value, &bits, sizeof(value));
        // Denormals come back too, but jansson takes the smallest of them for
        // underflow.
        if (!(value > -DBL_MAX && value < DBL_MAX) ||
            (value < DBL_MIN && value > -DBL_MIN)) {
            continue;
        }
        struct sp_buf json = {0};
        snakepit_reader reader;
        snakepit_value back;
        snakepit_writer_reset(writer);
        snakepit_writer_double(writer, value);
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(sp_json_write(&reader, &json), SNAKEPIT_OK);
        assert_int_equal(read_text(writer, (char *)json.data, NULL), SNAKEPIT_OK);
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(snakepit_reader_next(&reader, &back), SNAKEPIT_OK);
        assert_memory_equal(&back.as.real, &value, sizeof(value));
        sp_buf_fini(&json);
    }
}

static void every_failed_allocation_becomes_an_error(void **state)
{
    snakepit_writer *writer = *state;
    static const char *const json =
        "[18446744073709551615,{\"$bytes\":\"AAAA\"},"
        "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA==\"}}]";
    bool failed = true;
    for (long n = 1; failed; n++) {
        snakepit_message why = {{0}};
        snakepit_writer_reset(writer);
        sp_memory_fail_at(n);
        snakepit_err err = snakepit_writer_json(writer, json, strlen(json), &why);
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        assert_int_equal(why.text[0] != '\0', failed);
    }
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(values_of_all_kinds_come_back),
        WITH_WRITER(integers_over_int64_stay_integers),
        WITH_WRITER(integers_over_64_bits_are_malformed),
        WITH_WRITER(what_is_no_json_is_malformed_and_its_place_is_named),
        WITH_WRITER(a_missing_text_is_an_invalid_argument),
        WITH_WRITER(a_tensor_comes_back_with_memory_of_its_own),
        WITH_WRITER(a_tensor_that_contradicts_itself_is_malformed),
        WITH_WRITER(what_is_refused_is_named_by_its_way),
        WITH_WRITER(the_depth_has_a_limit),
        WITH_WRITER(json_is_one_value_among_others),
        WITH_WRITER(random_values_come_back_from_their_json),
        WITH_WRITER(random_doubles_come_back_exactly),
        WITH_WRITER(every_failed_allocation_becomes_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
