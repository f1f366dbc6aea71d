// SPDX-License-Identifier: MIT
#include "inference/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "payload/writer.h"

#define TENSOR(dtype, shape)                                                 \
    "{\"patternProperties\":{\"^\\\\$tensor$\":{\"properties\":{\"dtype\":{" \
    "\"type\":\"string\"" dtype "},\"shape\":{" shape "}}}},\"required\":["  \
    "\"$tensor\"]}"
#define ANY TENSOR("", "\"type\":\"array\"")
#define FP32_3                       \
    TENSOR(",\"const\":\"float32\"", \
           "\"prefixItems\":[{\"type\":\"integer\"},{\"const\":3}]")
#define BYTES    "{\"patternProperties\":{\"^\\\\$bytes$\":{}}}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"

static char shown[1024];
static snakepit_message why;

static snakepit_err read_tool(const char *json)
{
    snakepit_reader tool;
    struct sp_buf text = {0};
    struct sp_scratch scratch = {.used = 0};
    struct sp_inference_model model = {.input_count = 0};
    snakepit_writer *writer = snakepit_writer_new();
    why.text[0] = '\0';
    assert_int_equal(snakepit_writer_json(writer, json, strlen(json), &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&tool, writer->buf.data, writer->buf.size);
    snakepit_err err = sp_inference_model_read(&tool, &scratch, &model, &why);
    if (err == SNAKEPIT_OK) {
        assert_int_equal(sp_inference_model_write(&model, "p.t", &text), SNAKEPIT_OK);
        (void)snprintf(shown, sizeof shown, "%.*s", (int)text.size, (char *)text.data);
    }
    sp_buf_fini(&text);
    sp_scratch_fini(&scratch);
    snakepit_writer_free(writer);
    return err;
}

#define PARAMETERS(properties, required)                                   \
    "\"parameters\":{\"type\":\"object\",\"properties\":{" properties "}," \
    "\"required\":[" required "]}"

static void annotations_become_metadata(void **state)
{
    (void)state;
    assert_int_equal(read_tool("{" PARAMETERS(
                         "\"x\":" FP32_3 ",\"y\":" ANY
                         ",\"b\":" LIST(BYTES) ",\"z\":{},\"n\":{\"type\":\"integer\"}",
                         "\"x\",\"z\"") ",\"result\":" ANY "}"),
                     SNAKEPIT_OK);
    assert_string_equal(
        shown,
        "{\"name\":\"p.t\",\"versions\":[\"1\"],\"platform\":\"snakepit_python\","
        "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3]},"
        "{\"name\":\"y\",\"datatype\":\"UNKNOWN\",\"shape\":[-1]},"
        "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[-1]},"
        "{\"name\":\"z\",\"datatype\":\"UNKNOWN\",\"shape\":[-1]}],"
        "\"outputs\":[{\"name\":\"output\",\"datatype\":\"UNKNOWN\",\"shape\":[-1]}]}");
}

struct row {
    const char *result;
    const char *outputs;
};

#define OUT(name, datatype, shape) \
    "{\"name\":\"" name "\",\"datatype\":\"" datatype "\",\"shape\":" shape "}"

static const struct row results[] = {
    {"{}", ""},
    {"{\"type\":\"null\"}", ""},
    {"{\"type\":\"array\"}", ""},
    {"{\"type\":\"number\"}", OUT("output", "FP64", "[]")},
    {"{\"type\":\"integer\"}", OUT("output", "INT64", "[]")},
    {"{\"type\":\"boolean\"}", OUT("output", "BOOL", "[]")},
    {"{\"type\":\"string\"}", OUT("output", "BYTES", "[]")},
    {LIST(LIST("{\"type\":\"string\"}")), OUT("output", "BYTES", "[-1,-1]")},
    {FP32_3, OUT("output", "FP32", "[-1,3]")},
    {"{\"type\":\"array\",\"prefixItems\":[" ANY ",{\"type\":\"number\"}]}",
     OUT("output_0", "UNKNOWN", "[-1]") "," OUT("output_1", "FP64", "[]")},
    {"{\"type\":\"object\",\"properties\":{\"a\":" FP32_3 "}}",
     OUT("a", "FP32", "[-1,3]")},
};

static void results_become_outputs(void **state)
{
    char tool[1024];
    char outputs[256];
    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        (void)snprintf(tool,
                       sizeof tool,
                       "{" PARAMETERS("\"x\":" ANY, "\"x\"") ",\"result\":%s}",
                       results[i].result);
        (void)snprintf(
            outputs, sizeof outputs, ",\"outputs\":[%s]}", results[i].outputs);
        assert_int_equal(read_tool(tool), SNAKEPIT_OK);
        if (strstr(shown, outputs) == NULL) {
            fail_msg("%s: %s", results[i].result, shown);
        }
    }
}

static void what_is_not_a_model_says_why(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "nothing is known"},
        {"{\"streams\":true}", "it streams"},
        {"{" PARAMETERS("", "") "}", "none of its parameters"},
        {"{" PARAMETERS("\"n\":{\"type\":\"integer\"}", "") "}",
         "none of its parameters"},
        {"{" PARAMETERS("\"n\":{\"type\":\"integer\"}", "\"n\"") "}",
         "\"n\" is neither"},
        {"5", "nothing is known"},
        {"{\"parameters\":{\"properties\":[]}}", "nothing is known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_tool(rows[i][0]), SNAKEPIT_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, rows[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_become_metadata),
        cmocka_unit_test(results_become_outputs),
        cmocka_unit_test(what_is_not_a_model_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
