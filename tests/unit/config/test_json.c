// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "support.h"

static void assert_json(const char *yaml, const char *json)
{
    char text[512];
    snprintf(text, sizeof(text), "adapter_config: {v: %s}", yaml);
    struct sp_config *config = read_good(text);
    char expected[512];
    snprintf(expected, sizeof(expected), "{\"v\":%s}", json);
    assert_string_equal(config->pools[0].adapter_config, expected);
    sp_config_free(config);
}

static void plain_scalars_follow_the_core_schema(void **state)
{
    (void)state;
    assert_json("", "null");
    assert_json("~", "null");
    assert_json("True", "true");
    assert_json("FALSE", "false");
    assert_json("yes", "\"yes\"");
    assert_json("off", "\"off\"");
    assert_json("007", "7");
    assert_json("+5", "5");
    assert_json("-5", "-5");
    assert_json("0x1F", "31");
    assert_json("0o17", "15");
    assert_json("0xg", "\"0xg\"");
    assert_json("9223372036854775807", "9223372036854775807");
    assert_json("-9223372036854775808", "-9223372036854775808");
    assert_json("1_000", "\"1_000\"");
    assert_json("1.2.3", "\"1.2.3\"");
    assert_json("2024-01-01", "\"2024-01-01\"");
}

static void real_numbers_become_json_numbers(void **state)
{
    (void)state;
    assert_json("1.50", "1.50");
    assert_json(".5", "0.5");
    assert_json("5.", "5.0");
    assert_json("+00.5", "0.5");
    assert_json("-1e3", "-1.0e3");
    assert_json("1E-07", "1.0e-7");
    assert_json("1e", "\"1e\"");
    assert_json(".", "\".\"");
    assert_json("-", "\"-\"");
    assert_refused("adapter_config: {v: 1e400}",
                   "<memory>:1: adapter_config.v: expected a number below 1e308");
}

static void quoted_scalars_are_texts(void **state)
{
    (void)state;
    assert_json("'5'", "\"5\"");
    assert_json("''", "\"\"");
    assert_json("\"true\"", "\"true\"");
    assert_json("\"a\\\"b\\\\c\\n\\u0001\"", "\"a\\\"b\\\\c\\u000a\\u0001\"");
    assert_json("\"\xc3\xa9\"", "\"\xc3\xa9\"");
}

static void lists_and_maps_nest(void **state)
{
    (void)state;
    assert_json("[1, [], {}, {a: {b: [x]}}]", "[1,[],{},{\"a\":{\"b\":[\"x\"]}}]");
    assert_json("{1: a, true: b, \"q\\\"\": c}",
                "{\"1\":\"a\",\"true\":\"b\",\"q\\\"\":\"c\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(plain_scalars_follow_the_core_schema, set_environment),
        cmocka_unit_test_setup(real_numbers_become_json_numbers, set_environment),
        cmocka_unit_test_setup(quoted_scalars_are_texts, set_environment),
        cmocka_unit_test_setup(lists_and_maps_nest, set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
