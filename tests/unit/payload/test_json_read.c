// SPDX-License-Identifier: MIT
#include <float.h>
#include <locale.h>

#include "base/memory.h"
#include "json_support.h"
#include "payload/json.h"
#include "payload/wire.h"
#include "payload/writer.h"

// The writer holds one real.
static double real_of(const snakepit_writer *writer)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_REAL);
    return value.as.real;
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
                                        "{\"a\":1,\"\\u0061\":2}",
                                        "[1 2]",
                                        "{1:2}",
                                        "{\"a\" 1}",
                                        "{\"a\"",
                                        "[",
                                        "[}",
                                        "{]",
                                        "]",
                                        "-",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "1e+",
                                        "\"\\x\"",
                                        "\"\\u12g4\"",
                                        "\"\\udc00\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\",
                                        "\"\\u00",
                                        "\"\xed\xa0\x80\"",
                                        "\"12345678\xc3",
                                        "\"1234567\x01\"",
                                        "\xef\xbb\xbf{}",
                                        "[1]\v"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snakepit_message why = {{0}};
        assert_int_equal(read_text(*state, texts[i], &why), SNAKEPIT_MALFORMED);
        assert_int_equal(snakepit_writer_error(*state), SNAKEPIT_MALFORMED);
        assert_memory_equal(why.text, "line ", 5);
    }
    snakepit_message why;
    assert_int_equal(read_text(*state, "{\n  \"a\": oops}", &why), SNAKEPIT_MALFORMED);
    assert_string_equal(why.text,
                        "line 2, column 8: this is not a value of JSON (at .a)");
    assert_int_equal(read_text(*state, "[0,{\"\xc3\xa9\": [tru]}]", &why),
                     SNAKEPIT_MALFORMED);
    assert_string_equal(
        why.text,
        "line 1, column 11: this is not a value of JSON (at [1].\xc3\xa9[0])");
    assert_int_equal(snakepit_writer_json(*state, "x", 1, &why),
                     SNAKEPIT_MALFORMED); // sticks
}

// Keys are shown cut and cleaned, so that what is wrong is one line of UTF-8.
static void keys_in_an_error_are_cut_between_characters(void **state)
{
    static const char key[] = "12345678901234567890123456789012345678\n\xc3\xa9";
    char json[256];
    snakepit_message why;
    (void)snprintf(json, sizeof json, "{\"%.38s\\n%s\":!}", key, key + 39);
    assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "5678 ?)"));
    (void)snprintf(json,
                   sizeof json,
                   "{\"%.38s0%s\":1,\"%.38s0%s\":2}",
                   key,
                   key + 39,
                   key,
                   key + 39);
    assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "56780?\" stands twice"));
}

// 0, or where the first of `count` keys stands twice.
static snakepit_err read_keys(snakepit_writer *writer, size_t count, size_t twin)
{
    struct sp_buf json = {0};
    snakepit_message why;
    for (size_t i = 0; i < count; i++) {
        size_t key = i == count - 1 ? twin : i;
        assert_int_equal(
            sp_buf_printf(&json, "%s\"key of many %zu\":0", i == 0 ? "{" : ",", key),
            0);
    }
    assert_int_equal(sp_buf_printf(&json, "}"), SNAKEPIT_OK);
    snakepit_err err = read_text(writer, (char *)json.data, &why);
    if (err != SNAKEPIT_OK) {
        assert_non_null(strstr(why.text, "stands twice in one object"));
    }
    sp_buf_fini(&json);
    return err;
}

static void a_key_that_stands_twice_is_found_among_any_number(void **state)
{
    static const size_t counts[] = {2, 3, 12, 13, 14, 100, 20000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t count = counts[i];
        assert_int_equal(read_keys(*state, count, count), SNAKEPIT_OK);
        assert_int_equal(read_keys(*state, count, 0), SNAKEPIT_MALFORMED);
        assert_int_equal(read_keys(*state, count, count - 2), SNAKEPIT_MALFORMED);
        assert_int_equal(read_keys(*state, count, count / 2 - 1), SNAKEPIT_MALFORMED);
    }
    // The same key in objects beside and inside each other is fine.
    check_back(*state,
               "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
               "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}");
}

static void containers_of_any_size_have_the_shortest_heads(void **state)
{
    static const size_t counts[] = {0, 1, 15, 16, 17, 65535, 65536, 70000};
    static const char tensor[] =
        "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA==\"}}";
    snakepit_writer *writer = *state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sp_buf json = {0};
        assert_int_equal(sp_buf_printf(&json, "[%s,[", tensor), SNAKEPIT_OK);
        for (size_t n = 0; n < counts[i]; n++) {
            assert_int_equal(sp_buf_append(&json, "7,", n + 1 < counts[i] ? 2 : 1), 0);
        }
        assert_int_equal(sp_buf_printf(&json, "]%s", ",1,2,3,4,5,6,7,8,9,0,1,2,3,4,"),
                         SNAKEPIT_OK);
        assert_int_equal(sp_buf_printf(&json, "%s]", tensor), SNAKEPIT_OK);
        assert_int_equal(read_text(writer, (char *)json.data, NULL), SNAKEPIT_OK);
        size_t head = counts[i] < 16 ? 1 : counts[i] < 65536 ? 3 : 5;
        assert_int_equal(writer->buf.size, 3 + 27 + head + counts[i] + 14 + 27);
        assert_int_equal(writer->tensor_count, 2);
        assert_int_equal(writer->tensors[0].at, 3 + 3);
        assert_int_equal(writer->tensors[1].at, writer->buf.size - 24);
        sp_buf_fini(&json);
    }
}

// Each gets a longer head at its end, and their ends are one behind the other.
static void containers_that_end_together_have_room(void **state)
{
    struct sp_buf json = {0};
    for (size_t depth = 0; depth < SP_DEPTH_MAX; depth++) {
        assert_int_equal(sp_buf_printf(&json, "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,"), 0);
    }
    assert_int_equal(sp_buf_printf(&json, "7"), SNAKEPIT_OK);
    for (size_t depth = 0; depth < SP_DEPTH_MAX; depth++) {
        assert_int_equal(sp_buf_printf(&json, "]"), SNAKEPIT_OK);
    }
    check_back(*state, (char *)json.data, (char *)json.data);
    sp_buf_fini(&json);
}

static void blanks_may_be_anywhere(void **state)
{
    static const char *const parts[] = {
        "", "{", "\"a\"", ":", "[", "1", ",", "true", ",", "\"\"", "]", "}", ""};
    static const char *const blanks[] = {
        "", " ", "\n", "\r\t", "       ", "        ", "\n                   \n"};
    for (size_t blank = 0; blank < sizeof(blanks) / sizeof(blanks[0]); blank++) {
        struct sp_buf json = {0};
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            assert_int_equal(sp_buf_printf(&json, "%s%s", parts[i], blanks[blank]), 0);
        }
        check_back(*state, (char *)json.data, "{\"a\":[1,true,\"\"]}");
        sp_buf_fini(&json);
    }
}

static void texts_have_every_escape(void **state)
{
    check_back(
        *state,
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\udc0d\\u20AC plain and long\"",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\xc3\xa9\xf0\x9f\x90\x8d\xe2\x82\xac plain and "
        "long\"");
    char json[64];
    for (size_t before = 0; before < 20; before++) {
        (void)snprintf(json,
                       sizeof json,
                       "\"%.*s\\n%.*s\xc3\xa9\"",
                       (int)before,
                       "aaaaaaaaaaaaaaaaaaaaaaaaa",
                       (int)before,
                       "bbbbbbbbbbbbbbbbbbbbbbbbb");
        check_back(*state, json, json);
    }
}

static void numbers_are_the_nearest(void **state)
{
    static const struct {
        const char *json;
        double value;
    } rows[] = {
        {"1E2", 1e2},
        {"0.1", 0.1},
        {"-1.5e-3", -1.5e-3},
        {"9007199254740993.0", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000001", 9007199254740994.0},
        {"123456789012345678901234567890.0", 123456789012345678901234567890.0},
        {"4.9406564584124654e-324", 4.9406564584124654e-324},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"1e-400", 0.0},
        {"1e-99999999999999999999", 0.0},
        {"0e99999999999999999999", 0.0},
        {"1.7976931348623157e308", DBL_MAX},
        {"1.797693134862315800000e308", DBL_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(read_text(*state, rows[i].json, NULL), SNAKEPIT_OK);
        assert_true(real_of(*state) == rows[i].value);
    }
    check_back(*state, "-0", "0");
    // More digits than a buffer on the stack holds, and a locale with a comma.
    char json[400] = "0.";
    memset(json + 2, '3', 300);
    (void)setlocale(LC_NUMERIC, "de_DE.UTF-8");
    assert_int_equal(read_text(*state, json, NULL), SNAKEPIT_OK);
    (void)setlocale(LC_NUMERIC, "C");
    assert_true(real_of(*state) == 1.0 / 3);
    snakepit_message why;
    assert_int_equal(read_text(*state, "[1e309]", &why), SNAKEPIT_MALFORMED);
    assert_non_null(strstr(why.text, "line 1, column 2: a number over 1.8e308"));
}

static void a_missing_text_is_an_invalid_argument(void **state)
{
    snakepit_message why;
    assert_int_equal(snakepit_writer_json(*state, NULL, 0, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_true(why.text[0] != '\0');
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

static void a_container_from_json_is_no_key(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{\"a\":1}",
        "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA==\"}}",
    };
    snakepit_writer *writer = *state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snakepit_writer_reset(writer);
        snakepit_writer_map(writer, 1);
        assert_int_equal(snakepit_writer_json(writer, texts[i], strlen(texts[i]), NULL),
                         SNAKEPIT_INVALID_ARGUMENT);
    }
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 1);
    (void)snakepit_writer_json(writer, "{\"$bytes\":\"\"}", 13, NULL);
    (void)snakepit_writer_json(writer, "[]", 2, NULL);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
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
        snakepit_err err = sp_json_write(&reader, &first, NULL);
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
        if (!(value >= -DBL_MAX && value <= DBL_MAX)) {
            continue;
        }
        struct sp_buf json = {0};
        snakepit_reader reader;
        snakepit_value back;
        snakepit_writer_reset(writer);
        snakepit_writer_double(writer, value);
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(sp_json_write(&reader, &json, NULL), SNAKEPIT_OK);
        assert_int_equal(read_text(writer, (char *)json.data, NULL), SNAKEPIT_OK);
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        assert_int_equal(snakepit_reader_next(&reader, &back), SNAKEPIT_OK);
        assert_memory_equal(&back.as.real, &value, sizeof(value));
        sp_buf_fini(&json);
    }
}

static void every_failed_allocation_becomes_an_error(void **state)
{
    static const char *const json =
        "[18446744073709551615,{\"$bytes\":\"AAAA\"},\"a\\n\","
        "{\"a\":{\"b\":{\"c\":[[[[[[[[1]]]]]]]]}},\"d\":{\"$uint\":\"1\"}"
        "},"
        "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7],"
        "0."
        "33333333333333333333333333333333333333333333333333333333333333333333333333333"
        "333333333333333333333333333333333333333333333333333333333333333333333333333333"
        ",\""
        "a text that is longer than the bytes which the writer always has at hand, and "
        "has one escape\\n and another at the end of it\\u20ac\","
        "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA==\"}}]";
    (void)state;
    bool failed = true;
    for (long n = 1; failed; n++) {
        snakepit_message why = {{0}};
        // A new one each time: one that was used before has its memory already.
        snakepit_writer *writer = snakepit_writer_new();
        assert_non_null(writer);
        sp_memory_fail_at(n);
        snakepit_err err = snakepit_writer_json(writer, json, strlen(json), &why);
        failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        assert_int_equal(why.text[0] != '\0', failed);
        snakepit_writer_free(writer);
    }
}

static snakepit_err
read_at_most(snakepit_writer *writer, const char *text, uint64_t most)
{
    snakepit_message why;
    const struct sp_json_limit limit = {.values = most, .name = "key"};
    snakepit_writer_reset(writer);
    snakepit_err err = sp_json_read(writer, sp_slice_of_text(text), &limit, &why);
    assert_int_equal(err != SNAKEPIT_OK,
                     strstr(why.text, " values that `key` allows") != NULL);
    return err;
}

// Items and pairs of all levels; not the value itself.
static void values_have_a_limit(void **state)
{
    static const char text[] = "{\"a\":[1,[2,3]],\"b\":{}}";
    assert_int_equal(read_at_most(*state, text, 6), SNAKEPIT_OK);
    for (uint64_t most = 0; most < 6; most++) {
        assert_int_equal(read_at_most(*state, text, most), SNAKEPIT_MALFORMED);
    }
    assert_int_equal(read_at_most(*state, "[]", 0), SNAKEPIT_OK);
    assert_int_equal(read_at_most(*state, "1", 0), SNAKEPIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(values_of_all_kinds_come_back),
        WITH_WRITER(integers_over_int64_stay_integers),
        WITH_WRITER(integers_over_64_bits_are_malformed),
        WITH_WRITER(what_is_no_json_is_malformed_and_its_place_is_named),
        WITH_WRITER(keys_in_an_error_are_cut_between_characters),
        WITH_WRITER(a_key_that_stands_twice_is_found_among_any_number),
        WITH_WRITER(containers_of_any_size_have_the_shortest_heads),
        WITH_WRITER(containers_that_end_together_have_room),
        WITH_WRITER(blanks_may_be_anywhere),
        WITH_WRITER(texts_have_every_escape),
        WITH_WRITER(numbers_are_the_nearest),
        WITH_WRITER(a_container_from_json_is_no_key),
        WITH_WRITER(a_missing_text_is_an_invalid_argument),
        WITH_WRITER(the_depth_has_a_limit),
        WITH_WRITER(values_have_a_limit),
        WITH_WRITER(json_is_one_value_among_others),
        WITH_WRITER(random_values_come_back_from_their_json),
        WITH_WRITER(random_doubles_come_back_exactly),
        WITH_WRITER(every_failed_allocation_becomes_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
