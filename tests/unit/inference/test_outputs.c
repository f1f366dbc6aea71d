// SPDX-License-Identifier: MIT
#include "inference/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "payload/writer.h"

static struct sp_inference_outputs outputs;
static struct sp_inference_wanted wanted;
static struct sp_buf text;
static size_t head;
static snakepit_message why;

static int forget(void **state)
{
    (void)state;
    sp_inference_outputs_fini(&outputs);
    sp_buf_fini(&text);
    wanted = (struct sp_inference_wanted){.model = sp_slice_of_text("p.t")};
    return 0;
}

// What a tool returned, as JSON; written as the answer.
static snakepit_err answer(const char *json)
{
    snakepit_reader value;
    snakepit_writer *writer = snakepit_writer_new();
    sp_inference_outputs_fini(&outputs);
    sp_buf_fini(&text);
    assert_int_equal(snakepit_writer_json(writer, json, strlen(json), &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&value, writer->buf.data, writer->buf.size);
    snakepit_err err = sp_inference_gather(&value, &wanted, &outputs, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_inference_write_json(&wanted, &outputs, &text, &head, &why);
    }
    snakepit_writer_free(writer);
    return err;
}

struct row {
    const char *json;
    const char *outputs;
};

#define OUT(name, datatype, shape, data)                                    \
    "{\"name\":\"" name "\",\"datatype\":\"" datatype "\",\"shape\":" shape \
    ",\"data\":" data "}"

static const struct row rows[] = {
    {"null", ""},
    {"true", OUT("output", "BOOL", "[]", "[true]")},
    {"-7", OUT("output", "INT64", "[]", "[-7]")},
    {"18446744073709551615", OUT("output", "UINT64", "[]", "[18446744073709551615]")},
    {"0.5", OUT("output", "FP64", "[]", "[0.5]")},
    {"\"a\\\"b\"", OUT("output", "BYTES", "[]", "[\"a\\\"b\"]")},
    {"[]", OUT("output", "FP64", "[0]", "[]")},
    {"[[],[]]", OUT("output", "FP64", "[2,0]", "[]")},
    {"[1,2]", OUT("output", "INT64", "[2]", "[1,2]")},
    {"[1,2.5]", OUT("output", "FP64", "[2]", "[1.0,2.5]")},
    {"[[\"a\"],[\"b\"]]", OUT("output", "BYTES", "[2,1]", "[\"a\",\"b\"]")},
    {"{\"a\":[true],\"b\":1}",
     OUT("a", "BOOL", "[1]", "[true]") "," OUT("b", "INT64", "[]", "[1]")},
    {"{}", ""},
};

static void what_a_tool_returns_has_outputs(void **state)
{
    char whole[512];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(whole,
                       sizeof whole,
                       "{\"model_name\":\"p.t\",\"model_version\":\"1\",\"outputs\":["
                       "%s]}",
                       rows[i].outputs);
        assert_int_equal(answer(rows[i].json), SNAKEPIT_OK);
        assert_int_equal(text.size, strlen(whole));
        assert_memory_equal(text.data, whole, text.size);
        assert_int_equal(head, text.size);
    }
}

static void what_is_no_tensor_is_refused(void **state)
{
    static const char *const wrong[] = {
        "[1,\"a\"]",
        "[[1],2]",
        "[[1],[2,3]]",
        "[true,1]",
        "[null]",
        "[{}]",
        "[-1,18446744073709551615]",
        "[[[[[[[[[1]]]]]]]]]",
        "{\"a\":{}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (answer(wrong[i]) != SNAKEPIT_UNSERIALISABLE) {
            fail_msg("%s", wrong[i]);
        }
        assert_non_null(strstr(why.text, "output \""));
    }
}

static void outputs_are_those_that_are_wanted(void **state)
{
    struct sp_inference_wish wishes[] = {
        {.name = sp_slice_of_text("b"), .form = SP_INFERENCE_BINARY},
        {.name = sp_slice_of_text("a"), .form = SP_INFERENCE_JSON}};
    (void)state;
    wanted.outputs = wishes;
    wanted.output_count = 2;
    wanted.id = sp_slice_of_text("7");
    assert_int_equal(answer("{\"a\":1,\"b\":[\"xy\"],\"c\":2}"), SNAKEPIT_OK);
    static const char whole[] =
        "{\"model_name\":\"p.t\",\"model_version\":\"1\",\"id\":\"7\",\"outputs\":["
        "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[1],\"parameters\":"
        "{\"binary_data_size\":6}}," OUT("a", "INT64", "[]", "[1]") "]}";
    assert_int_equal(head, sizeof whole - 1);
    assert_memory_equal(text.data, whole, head);
    assert_int_equal(text.size, head + 6);
    assert_memory_equal(text.data + head, "\2\0\0\0xy", 6);
    assert_int_equal(answer("{\"a\":1}"), SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(
        why.text, "output \"b\": the tool returned none of that name; there are: a");
}

static void what_json_cannot_say_is_refused(void **state)
{
    (void)state;
    assert_int_equal(answer("{\"$bytes\":\"/w==\"}"), SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "not UTF-8"));
    wanted.binary = true;
    assert_int_equal(answer("{\"$bytes\":\"/w==\"}"), SNAKEPIT_OK);
    assert_memory_equal(text.data + head, "\1\0\0\0\xff", 5);
}

static void without_memory_it_says_so(void **state)
{
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    snakepit_reader value;
    static const char json[] = "{\"a\":[1,2],\"b\":\"x\"}";
    snakepit_writer *writer = snakepit_writer_new();
    (void)state;
    assert_int_equal(snakepit_writer_json(writer, json, sizeof json - 1, &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&value, writer->buf.data, writer->buf.size);
    for (unsigned n = 1; err == SNAKEPIT_NO_MEMORY; n++) {
        (void)forget(NULL);
        sp_memory_fail_at(n);
        err = sp_inference_gather(&value, &wanted, &outputs, &why);
        if (err == SNAKEPIT_OK) {
            err = sp_inference_write_json(&wanted, &outputs, &text, &head, &why);
        }
        sp_memory_fail_at(0);
    }
    assert_int_equal(err, SNAKEPIT_OK);
    snakepit_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_a_tool_returns_has_outputs, forget, forget),
        cmocka_unit_test_setup_teardown(what_is_no_tensor_is_refused, forget, forget),
        cmocka_unit_test_setup_teardown(
            outputs_are_those_that_are_wanted, forget, forget),
        cmocka_unit_test_setup_teardown(
            what_json_cannot_say_is_refused, forget, forget),
        cmocka_unit_test_setup_teardown(without_memory_it_says_so, forget, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
