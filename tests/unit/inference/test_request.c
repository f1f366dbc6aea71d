// SPDX-License-Identifier: MIT
#include "inference/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "inference/outputs.h"
#include "payload/writer.h"

#define X       "{\"inputs\":[{\"name\":\"x\","
#define X_END   "}]}"
#define FP32(s) X "\"datatype\":\"FP32\",\"shape\":" s

static struct sp_inference_request request;
static snakepit_message why;

static int forget(void **state)
{
    (void)state;
    sp_inference_request_fini(&request);
    snakepit_writer_free(request.args);
    request = (struct sp_inference_request){.id = {NULL, 0}};
    why.text[0] = '\0';
    return 0;
}

static snakepit_err read_parts(const char *json, struct sp_slice binary)
{
    static uint8_t body[4096];
    const size_t head = strlen(json);
    (void)forget(NULL);
    memcpy(body, json, head);
    if (binary.size > 0) {
        memcpy(body + head, binary.data, binary.size);
    }
    request.args = snakepit_writer_new();
    assert_non_null(request.args);
    return sp_inference_read_json(
        &request, (struct sp_slice){body, head + binary.size}, head, 1000, &why);
}

static snakepit_err read_json(const char *json)
{
    return read_parts(json, (struct sp_slice){NULL, 0});
}

static void a_request_says_what_it_wants(void **state)
{
    (void)state;
    assert_int_equal(
        read_json("{\"id\":\"7\",\"parameters\":{\"timeout\":1500,\"priority\":2,"
                  "\"session\":\"s\",\"binary_data_output\":true,\"else\":{}},"
                  "\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT16\",\"shape\":[2,1],"
                  "\"data\":[[1],[-2]]}],\"outputs\":[{\"name\":\"y\"},{\"name\":"
                  "\"z\",\"parameters\":{\"binary_data\":false}}]}"),
        SNAKEPIT_OK);
    assert_true(sp_inference_is_text(request.id, "7"));
    assert_int_equal(request.settings.timeout_us, 1500);
    assert_true(request.settings.has_priority);
    assert_int_equal(request.settings.priority, 2);
    assert_true(sp_inference_is_text(request.settings.session, "s"));
    assert_true(request.binary);
    assert_int_equal(request.input_count, 1);
    assert_int_equal(request.inputs[0].dtype, SNAKEPIT_INT16);
    assert_int_equal(request.inputs[0].rank, 2);
    assert_memory_equal(request.inputs[0].data.data, "\1\0\xfe\xff", 4);
    assert_int_equal(request.output_count, 2);
    assert_int_equal(request.outputs[0].form, SP_INFERENCE_AS_REQUESTED);
    assert_int_equal(request.outputs[1].form, SP_INFERENCE_JSON);
}

static void bytes_behind_the_json_are_taken_in_turn(void **state)
{
    static const char json[] =
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"UINT8\",\"shape\":[3],"
        "\"parameters\":{\"binary_data_size\":3}},{\"name\":\"b\",\"datatype\":"
        "\"BYTES\",\"shape\":[2],\"parameters\":{\"binary_data_size\":9}}]}";
    (void)state;
    const struct sp_slice binary = {(const uint8_t *)"123\1\0\0\0a\0\0\0\0", 12};
    assert_int_equal(read_parts(json, binary), SNAKEPIT_OK);
    assert_memory_equal(request.inputs[0].data.data, "123", 3);
    assert_int_equal(request.inputs[1].data.size, 9);
    sp_inference_write_arguments(&request);
    assert_int_equal(snakepit_writer_error(request.args), SNAKEPIT_OK);
    assert_int_equal(request.args->tensor_count, 1);
    const struct sp_slice less = {binary.data, 11};
    assert_int_equal(read_parts(json, less), SNAKEPIT_INVALID_ARGUMENT);
}

struct row {
    const char *json;
    const char *why;
};

static const struct row wrong[] = {
    {"[]", "not a JSON object"},
    {"{\"inputs\":{}}", "lists of objects"},
    {"{\"inputs\":[1]}", "lists of objects"},
    {"{\"outputs\":[1]}", "lists of objects"},
    {"{\"outputs\":[{}]}", "has no name"},
    {"{\"parameters\":[]}", "not an object"},
    {"{\"parameters\":{\"timeout\":-1}}", "\"timeout\""},
    {"{\"parameters\":{\"session\":1}}", "\"session\""},
    {"{\"parameters\":{\"binary_data_output\":1}}", "true or false"},
    {"{\"parameters\":{\"sequence_end\":true}}", "\"session\""},
    {"{\"id\":1}", "\"id\""},
    {X "\"datatype\":\"FP32\"" X_END, "input \"x\": it has no shape"},
    {FP32("[1.5]") X_END, "input \"x\": shape[0]"},
    {FP32("[-1]") X_END, "input \"x\": shape[0]"},
    {FP32("[1,1,1,1,1,1,1,1,1]") X_END, "9 dimensions"},
    {FP32("[1]") X_END, "neither data"},
    {FP32("[1]") ",\"data\":{}" X_END, "element 0"},
    {FP32("[1]") ",\"data\":[null]" X_END, "element 0"},
    {FP32("[1]") ",\"data\":[1e39]" X_END, "element 0"},
    {FP32("[1]") ",\"data\":[1,2]" X_END, "needs 4 bytes, and 8 came"},
    {FP32("[1]") ",\"parameters\":{\"shared_memory_region\":\"r\"}" X_END,
     "shared memory"},
    {X "\"datatype\":\"BF16\",\"shape\":[1],\"data\":[1]" X_END, "BF16"},
    {X "\"datatype\":\"UINT64\",\"shape\":[1],\"data\":[-1]" X_END, "element 0"},
    {X "\"datatype\":\"INT64\",\"shape\":[1],\"data\":[18446744073709551615]" X_END,
     "element 0"},
    {X "\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[1]" X_END, "element 0"},
    {X "\"datatype\":\"fp32\",\"shape\":[1],\"data\":[1]" X_END, "its datatype"},
};

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_json(wrong[i].json), SNAKEPIT_INVALID_ARGUMENT);
        if (strstr(why.text, wrong[i].why) == NULL) {
            fail_msg("%s: %s", wrong[i].json, why.text);
        }
    }
    assert_int_equal(read_json("{"), SNAKEPIT_MALFORMED);
}

static void extremes_fit(void **state)
{
    (void)state;
    assert_int_equal(read_json(X "\"datatype\":\"UINT64\",\"shape\":[2],\"data\":"
                                 "[18446744073709551615,0]" X_END),
                     SNAKEPIT_OK);
    assert_memory_equal(
        request.inputs[0].data.data, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(read_json(X "\"datatype\":\"INT64\",\"shape\":[],\"data\":"
                                 "-9223372036854775808" X_END),
                     SNAKEPIT_OK);
    assert_int_equal(request.inputs[0].rank, 0);
    assert_int_equal(read_json(FP32("[0,9223372036854775807]") ",\"data\":[]" X_END),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(read_json(FP32("[0,7]") ",\"data\":[]" X_END), SNAKEPIT_OK);
}

static void elements_of_any_length_become_lists(void **state)
{
    snakepit_reader reader;
    (void)state;
    assert_int_equal(read_json(X "\"datatype\":\"BYTES\",\"shape\":[2,1],\"data\":"
                                 "[\"a\",\"\"]" X_END),
                     SNAKEPIT_OK);
    sp_inference_write_arguments(&request);
    snakepit_reader_init(&reader, request.args->buf.data, request.args->buf.size);
    snakepit_reader found;
    snakepit_value value;
    assert_int_equal(snakepit_reader_find(&reader, "x", &found), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&found, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_ARRAY);
    assert_int_equal(value.as.count, 2);
    assert_int_equal(snakepit_reader_next(&found, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.count, 1);
    assert_int_equal(snakepit_reader_next(&found, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_BYTES);
    assert_int_equal(value.as.bytes.size, 1);
}

static const char whole[] =
    "{\"id\":\"7\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[2],"
    "\"data\":[1,2]},{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":"
    "[\"a\"]}],\"outputs\":[{\"name\":\"z\"}]}";

static snakepit_err read_without(void)
{
    (void)forget(NULL);
    request.args = snakepit_writer_new();
    if (request.args == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = sp_inference_read_json(
        &request, sp_slice_of_text(whole), sizeof whole - 1, 1000, &why);
    struct sp_inference_wanted wanted = {.binary = false};
    err = err == SNAKEPIT_OK ? sp_inference_want(&request, "p.t", &wanted) : err;
    sp_inference_wanted_fini(&wanted);
    return err;
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (unsigned n = 1; err == SNAKEPIT_NO_MEMORY; n++) {
        sp_memory_fail_at(n);
        err = read_without();
        sp_memory_fail_at(0);
    }
    assert_int_equal(err, SNAKEPIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_request_says_what_it_wants, forget),
        cmocka_unit_test_teardown(bytes_behind_the_json_are_taken_in_turn, forget),
        cmocka_unit_test_teardown(what_is_wrong_is_told, forget),
        cmocka_unit_test_teardown(extremes_fit, forget),
        cmocka_unit_test_teardown(elements_of_any_length_become_lists, forget),
        cmocka_unit_test_teardown(without_memory_it_says_so, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
