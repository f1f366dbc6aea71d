// SPDX-License-Identifier: MIT
#include "api/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "payload/writer.h"

static struct sp_buf out;
static enum sp_openapi_tokens tokens;
static snakepit_writer *made;

// The document of one pool with this table, which is JSON; read back, so that it is
// known to be JSON without a key twice.
static snakepit_err make(const char *pool, const char *table)
{
    struct sp_openapi openapi;
    snakepit_reader reader;
    snakepit_message why;
    snakepit_writer *writer = snakepit_writer_new();
    assert_int_equal(snakepit_writer_json(writer, table, strlen(table), &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    sp_buf_fini(&out);
    sp_openapi_begin(&openapi, &out, tokens);
    sp_openapi_add_pool(&openapi, pool, &reader);
    snakepit_err err = sp_openapi_end(&openapi);
    snakepit_writer_free(writer);
    return err;
}

static void assert_is_json(void)
{
    snakepit_message why;
    made = snakepit_writer_new();
    if (snakepit_writer_json(made, (const char *)out.data, out.size, &why) !=
            SNAKEPIT_OK ||
        snakepit_writer_explain(made, &why) != SNAKEPIT_OK) {
        fail_msg("%s in %.*s", why.text, (int)out.size, (const char *)out.data);
    }
}

static int forget(void **state)
{
    (void)state;
    snakepit_writer_free(made);
    made = NULL;
    tokens = SP_OPENAPI_NO_TOKENS;
    sp_buf_fini(&out);
    return 0;
}

// What stands at the end of a path of keys; fails if it is not there.
static snakepit_reader at(const char *const *keys, size_t count)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, made->buf.data, made->buf.size);
    for (size_t i = 0; i < count; i++) {
        if (snakepit_reader_find(&reader, keys[i], &reader) != SNAKEPIT_OK) {
            fail_msg("no %s", keys[i]);
        }
    }
    return reader;
}

#define AT(...)                            \
    at((const char *const[]){__VA_ARGS__}, \
       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void a_tool_is_a_path(void **state)
{
    snakepit_value value;
    (void)state;
    assert_int_equal(
        make("te xt",
             "{\"tools\":[{\"name\":\"a/b\",\"description\":\"says \\\"hi\\\"\\n\","
             "\"streams\":true,\"parameters\":{\"type\":\"object\",\"properties\":{"
             "\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]},\"result\":{\"type\":"
             "\"string\"}},"
             "{\"name\":\"plain\"}]}"),
        SNAKEPIT_OK);
    assert_is_json();
    const char path[] = "/v1/pools/te%20xt/tools/a%2Fb";
    snakepit_reader reader = AT("paths", path, "post", "description");
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_memory_equal(value.as.text.data, "says \"hi\"\n", 10);
    (void)AT("paths",
             path,
             "post",
             "requestBody",
             "content",
             "application/json",
             "schema",
             "properties",
             "n");
    (void)AT("paths",
             path,
             "post",
             "responses",
             "200",
             "content",
             "application/json",
             "schema",
             "type");
    (void)AT("paths", path, "post", "responses", "200", "content", "text/event-stream");
    (void)AT("paths", path, "post", "requestBody", "required");
    (void)AT("paths", "/v1/pools/te%20xt/tools/plain", "post", "operationId");
}

// The first of a name is the one that is called.
static void a_name_that_stands_twice_is_one_path(void **state)
{
    snakepit_value value;
    (void)state;
    assert_int_equal(make("p",
                          "{\"tools\":[{\"name\":\"b\",\"description\":\"first\"},"
                          "{\"name\":\"a\"},7,{\"name\":\"ab\"},"
                          "{\"name\":\"b\",\"description\":\"second\"},"
                          "{\"name\":\"a\"}]}"),
                     SNAKEPIT_OK);
    assert_is_json(); // which no key twice would be
    snakepit_reader reader = AT("paths", "/v1/pools/p/tools/b", "post", "description");
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.text.size, 5);
    assert_memory_equal(value.as.text.data, "first", 5);
    (void)AT("paths", "/v1/pools/p/tools/a", "post");
    (void)AT("paths", "/v1/pools/p/tools/ab", "post");
}

static void every_row_is_there(void **state)
{
    (void)state;
    assert_int_equal(make("p", "{\"tools\":[]}"), SNAKEPIT_OK);
    assert_is_json();
    (void)AT("paths", "/v1/pools/{pool}/tools/{tool}", "post", "parameters");
    (void)AT("paths", "/v1/sessions/{session}/values/{key}", "get");
    (void)AT("paths", "/v1/sessions/{session}/values/{key}", "put", "requestBody");
    (void)AT("paths", "/v1/sessions/{session}/values/{key}", "delete");
    (void)AT("paths", "/v1/pools/{pool}:recycle", "post", "responses", "202");
    (void)AT("components", "schemas", "Problem");
    (void)AT("components", "parameters", "CallId", "schema", "pattern");
}

// Each protocol refuses in a form of its own, and all that are named are described.
static void a_refusal_has_the_form_of_its_protocol(void **state)
{
    static const struct {
        const char *path, *method, *refusal;
    } rows[] = {
        {"/v1/pools/{pool}", "get", "#/components/responses/Problem"},
        {"/v1/pools/p/tools/a", "post", "#/components/responses/Problem"},
        {"/v2", "get", "#/components/responses/InferenceError"},
        {"/v2/models/{model}/infer", "post", "#/components/responses/InferenceError"},
        {"/mcp", "post", "#/components/responses/McpError"},
    };
    (void)state;
    assert_int_equal(make("p", "{\"tools\":[{\"name\":\"a\"}]}"), SNAKEPIT_OK);
    assert_is_json();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snakepit_value value;
        snakepit_reader reader =
            AT("paths", rows[i].path, rows[i].method, "responses", "default", "$ref");
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
        assert_int_equal(value.as.text.size, strlen(rows[i].refusal));
        assert_memory_equal(
            value.as.text.data, rows[i].refusal, strlen(rows[i].refusal));
    }
    (void)AT(
        "components", "responses", "Problem", "content", "application/problem+json");
    (void)AT(
        "components", "responses", "InferenceError", "content", "application/json");
    (void)AT("components", "responses", "McpError", "content", "application/json");
    (void)AT(
        "components", "responses", "McpError", "content", "application/problem+json");
    (void)AT("components", "schemas", "InferenceError", "properties", "error");
    (void)AT("components", "schemas", "McpError", "properties", "error");
    (void)AT("components", "schemas", "Event", "properties", "data");
}

static void what_a_worker_says_wrong_is_left_out(void **state)
{
    (void)state;
    static const char kinds[] = "{\"tools\":[{\"name\":\"a\",\"parameters\":7,"
                                "\"result\":[],\"description\":{}}]}";
    static const char *const tables[] = {"{}",
                                         "7",
                                         "{\"tools\":7}",
                                         "{\"tools\":[7,null,{}]}",
                                         "{\"tools\":[{\"name\":\"\"}]}",
                                         "{\"tools\":[{\"name\":\"a\\u0000b\"}]}",
                                         kinds};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_int_equal(make("p", tables[i]), SNAKEPIT_OK);
        assert_is_json();
        (void)forget(NULL);
    }
}

static void without_memory_it_is_not_whole(void **state)
{
    (void)state;
    long failed = 0;
    // {"tools": [{"name": "a"}]}
    static const uint8_t table[] = "\x81\xa5tools\x91\x81\xa4name\xa1\x61";
    for (long n = 1;; n++) {
        struct sp_openapi openapi;
        snakepit_reader reader;
        snakepit_reader_init(&reader, table, sizeof table - 1);
        sp_buf_fini(&out);
        sp_memory_fail_at(n);
        sp_openapi_begin(&openapi, &out, SP_OPENAPI_NO_TOKENS);
        sp_openapi_add_pool(&openapi, "p", &reader);
        snakepit_err err = sp_openapi_end(&openapi);
        if (err == SNAKEPIT_OK) {
            break;
        }
        assert_int_equal(err, SNAKEPIT_NO_MEMORY);
        failed++;
    }
    sp_memory_fail_at(0);
    assert_true(failed > 3);
}

static bool says(const char *part)
{
    return memmem(out.data, out.size, part, strlen(part)) != NULL;
}

static void what_needs_a_token_says_so(void **state)
{
    (void)state;
    static const char table[] = "{\"tools\":[{\"name\":\"a\"}]}";
    static const struct {
        enum sp_openapi_tokens tokens;
        const char *observe; // of an operation with that scope; NULL: it says nothing
        const char *call;
    } rows[] = {
        {SP_OPENAPI_NO_TOKENS, NULL, NULL},
        {SP_OPENAPI_SOME_TOKENS,
         "\"security\":[{\"token\":[\"observe\"]},{}]",
         "\"tags\":[\"p\"],\"security\":[{\"token\":[\"call\"]},{}]"},
        {SP_OPENAPI_TOKENS,
         "\"security\":[{\"token\":[\"observe\"]}]",
         "\"tags\":[\"p\"],\"security\":[{\"token\":[\"call\"]}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tokens = rows[i].tokens;
        assert_int_equal(make("p", table), SNAKEPIT_OK);
        assert_is_json();
        snakepit_writer_free(made);
        made = NULL;
        const bool any = rows[i].observe != NULL;
        assert_int_equal(says("\"securitySchemes\":{\"token\":{\"type\":\"http\""),
                         any);
        assert_int_equal(says("\"tags\":[\"open\"],\"security\":[]"), any);
        assert_int_equal(says("\"security\""), any);
        assert_true(!any || (says(rows[i].observe) && says(rows[i].call)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_tool_is_a_path, forget),
        cmocka_unit_test_teardown(a_name_that_stands_twice_is_one_path, forget),
        cmocka_unit_test_teardown(every_row_is_there, forget),
        cmocka_unit_test_teardown(a_refusal_has_the_form_of_its_protocol, forget),
        cmocka_unit_test_teardown(what_a_worker_says_wrong_is_left_out, forget),
        cmocka_unit_test_teardown(what_needs_a_token_says_so, forget),
        cmocka_unit_test_teardown(without_memory_it_is_not_whole, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
