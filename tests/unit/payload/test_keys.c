// SPDX-License-Identifier: MIT
// Keys that are equal in Python: found, named with their place, and nothing else is.
#include "payload/keys.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "payload/writer.h"

// What a row writes as a key.
struct row_key {
    snakepit_kind kind;
    double number;
    const char *text;
};

static void write_key(snakepit_writer *writer, const struct row_key *key)
{
    switch (key->kind) {
    case SNAKEPIT_BOOLEAN:
        snakepit_writer_bool(writer, key->number != 0);
        break;
    case SNAKEPIT_INTEGER:
        snakepit_writer_int(writer, (int64_t)key->number);
        break;
    case SNAKEPIT_UNSIGNED:
        snakepit_writer_uint(writer, (uint64_t)key->number);
        break;
    case SNAKEPIT_REAL:
        snakepit_writer_double(writer, key->number);
        break;
    case SNAKEPIT_TEXT:
        snakepit_writer_str(writer, key->text);
        break;
    case SNAKEPIT_BYTES:
        snakepit_writer_bytes(writer, key->text, strlen(key->text));
        break;
    default:
        snakepit_writer_nil(writer);
    }
}

// {"rows": [nil, {first: tensor, second: {}, 7: nil}]}
static snakepit_writer *write_map(const struct row_key *first,
                                  const struct row_key *second)
{
    static const uint8_t data[8];
    const snakepit_tensor tensor = {data, SNAKEPIT_UINT8, 1, {8}, {0}};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "rows");
    snakepit_writer_array(writer, 2);
    snakepit_writer_nil(writer);
    snakepit_writer_map(writer, 3);
    write_key(writer, first);
    snakepit_writer_tensor(writer, &tensor);
    write_key(writer, second);
    snakepit_writer_map(writer, 0);
    snakepit_writer_int(writer, 7);
    snakepit_writer_nil(writer);
    return writer;
}

static void says(const struct row_key *first,
                 const struct row_key *second,
                 snakepit_err err,
                 const char *text)
{
    snakepit_message why;
    snakepit_writer *writer = write_map(first, second);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(snakepit_writer_explain(writer, &why), err);
    assert_string_equal(why.text, text);
    snakepit_writer_free(writer);
}

static void keys_that_are_equal_in_python_are_named(void **state)
{
    (void)state;
    static const struct {
        struct row_key first;
        struct row_key second;
        const char *keys;
    } rows[] = {
        {{SNAKEPIT_INTEGER, 1, NULL}, {SNAKEPIT_BOOLEAN, 1, NULL}, "true"},
        {{SNAKEPIT_INTEGER, 0, NULL}, {SNAKEPIT_REAL, -0.0, NULL}, "-0.0"},
        {{SNAKEPIT_REAL, 1, NULL}, {SNAKEPIT_BOOLEAN, 1, NULL}, "true"},
        {{SNAKEPIT_UNSIGNED, 0x1p63, NULL}, {SNAKEPIT_REAL, 0x1p63, NULL}, "92"},
        {{SNAKEPIT_INTEGER, -0x1p63, NULL}, {SNAKEPIT_REAL, -0x1p63, NULL}, "-92"},
        {{SNAKEPIT_REAL, 1e300, NULL}, {SNAKEPIT_REAL, 1e300, NULL}, "1.0"},
        {{SNAKEPIT_INTEGER, 7, NULL}, {SNAKEPIT_NIL, 0, NULL}, "7 and 7"}, // the third
        {{SNAKEPIT_TEXT, 0, "k"}, {SNAKEPIT_TEXT, 0, "k"}, "\"k\" and \"k\""},
        {{SNAKEPIT_TEXT, 0, ""}, {SNAKEPIT_TEXT, 0, ""}, "\"\" and \"\""},
        {{SNAKEPIT_BYTES, 0, "k"}, {SNAKEPIT_BYTES, 0, "k"}, "the same bytes"},
        {{SNAKEPIT_NIL, 0, NULL}, {SNAKEPIT_NIL, 0, NULL}, "nil and nil"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snakepit_message why;
        snakepit_writer *writer = write_map(&rows[i].first, &rows[i].second);
        assert_int_equal(snakepit_writer_explain(writer, &why),
                         SNAKEPIT_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, rows[i].keys));
        assert_non_null(strstr(why.text, " (at .rows[1]); make them differ"));
        snakepit_writer_free(writer);
    }
}

static void keys_that_differ_are_let_through(void **state)
{
    (void)state;
    static const struct row_key rows[][2] = {
        {{SNAKEPIT_INTEGER, 1, NULL}, {SNAKEPIT_TEXT, 0, "1"}},
        {{SNAKEPIT_TEXT, 0, "k"}, {SNAKEPIT_BYTES, 0, "k"}},
        {{SNAKEPIT_INTEGER, 1, NULL}, {SNAKEPIT_REAL, 1.5, NULL}},
        {{SNAKEPIT_INTEGER, 0x1p62, NULL}, {SNAKEPIT_REAL, 0x1p63, NULL}},
        {{SNAKEPIT_REAL, NAN, NULL}, {SNAKEPIT_REAL, NAN, NULL}},
        {{SNAKEPIT_REAL, INFINITY, NULL}, {SNAKEPIT_REAL, -INFINITY, NULL}},
        {{SNAKEPIT_NIL, 0, NULL}, {SNAKEPIT_BOOLEAN, 0, NULL}},
        {{SNAKEPIT_TEXT, 0, "a"}, {SNAKEPIT_TEXT, 0, "aa"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        says(&rows[i][0], &rows[i][1], SNAKEPIT_OK, "");
    }
}

static void a_key_twice_among_many_is_found(void **state)
{
    (void)state;
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 70001);
    for (int i = 0; i < 70000; i++) {
        snakepit_writer_int(writer, (i * 7919) % 70000);
        snakepit_writer_nil(writer);
    }
    snakepit_writer_double(writer, 69999);
    snakepit_writer_nil(writer);
    assert_int_equal(snakepit_writer_explain(writer, &why), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "69999"));
    assert_null(strstr(why.text, "(at"));
    snakepit_writer_free(writer);
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    snakepit_message why;
    const struct row_key one = {SNAKEPIT_INTEGER, 1, NULL};
    const struct row_key other = {SNAKEPIT_INTEGER, 2, NULL};
    snakepit_writer *writer = write_map(&one, &other);
    sp_memory_fail_at(1);
    assert_int_equal(snakepit_writer_explain(writer, &why), SNAKEPIT_NO_MEMORY);
    assert_true(sp_memory_has_failed());
    sp_memory_fail_at(0);
    assert_int_equal(snakepit_writer_explain(writer, &why), SNAKEPIT_OK);
    snakepit_writer_free(writer);
}

static void bytes_that_are_no_value_are_malformed(void **state)
{
    (void)state;
    snakepit_message why;
    static const uint8_t cut[] = {0x82, 0xa1, 'a', 0x01, 0xa1};
    for (size_t size = 1; size <= sizeof cut; size++) {
        assert_int_equal(sp_keys_check((struct sp_slice){cut, size}, &why),
                         SNAKEPIT_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_are_equal_in_python_are_named),
        cmocka_unit_test(keys_that_differ_are_let_through),
        cmocka_unit_test(a_key_twice_among_many_is_found),
        cmocka_unit_test(memory_that_ends_is_told),
        cmocka_unit_test(bytes_that_are_no_value_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
