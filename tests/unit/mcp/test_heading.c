// SPDX-License-Identifier: MIT
#include "mcp/heading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define META                                                  \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct sp_mcp_heading heading;

static int forget(void **state)
{
    (void)state;
    sp_mcp_heading_fini(&heading);
    return 0;
}

static void read_heading(const char *message)
{
    sp_mcp_heading_fini(&heading);
    heading = (struct sp_mcp_heading){.answered = false};
    assert_int_equal(sp_mcp_heading_read(sp_slice_of_text(message), &heading),
                     SNAKEPIT_OK);
}

static void assert_buf(const struct sp_buf *buf, const char *text)
{
    assert_int_equal(buf->size, strlen(text));
    assert_memory_equal(
        buf->data == NULL ? (const void *)"" : buf->data, text, strlen(text));
}

static void a_stateless_request_says_everything_twice(void **state)
{
    (void)state;
    read_heading("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\","
                 "\"params\":{\"name\":\"pets.weight\"," META "}}");
    assert_true(heading.answered);
    assert_int_equal(heading.era, SP_MCP_STATELESS);
    assert_int_equal(heading.method, SP_MCP_TOOLS_CALL);
    assert_buf(&heading.id, "\"a\"");
    assert_string_equal(heading.version, "2026-07-28");
    assert_string_equal(heading.name_of_method, "tools/call");
    assert_string_equal(heading.name, "pets.weight");
}

static void a_request_of_a_handshake_says_nothing(void **state)
{
    (void)state;
    read_heading("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\"}");
    assert_true(heading.answered);
    assert_int_equal(heading.era, SP_MCP_HANDSHAKE);
    assert_int_equal(heading.method, SP_MCP_INITIALIZE);
    assert_buf(&heading.id, "7");
    assert_string_equal(heading.version, "");
    assert_string_equal(heading.name_of_method, "");
}

static void what_is_no_message_is_answered_and_what_wants_no_answer_is_not(void **state)
{
    (void)state;
    const char *const answered[] = {
        "garbage", "{", "[]", "7", "{}", "[{\"jsonrpc\":\"2.0\"}]", "\xff\xfe"};
    for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++) {
        read_heading(answered[i]);
        assert_true(heading.answered);
        assert_buf(&heading.id, "");
    }
    read_heading("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    assert_false(heading.answered);
    read_heading("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    assert_false(heading.answered);
}

static void a_cancel_says_what_is_to_end(void **state)
{
    (void)state;
    read_heading("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                 "\"params\":{\"requestId\":\"x\\\"y\"}}");
    assert_false(heading.answered);
    assert_int_equal(heading.method, SP_MCP_CANCELLED);
    assert_buf(&heading.cancels, "\"x\\\"y\"");
}

static void a_field_holds_what_no_field_can(void **state)
{
    (void)state;
    char value[SP_MCP_FIELD_SIZE];
    char text[2 * SP_MCP_FIELD_SIZE];
    const struct {
        const char *text;
        const char *value;
    } rows[] = {{"tools/call", "tools/call"},
                {"", ""},
                {"a\r\nX-Evil: 1", "=?base64?YQ0KWC1FdmlsOiAx?="},
                {" a", "=?base64?IGE=?="},
                {"\xc3\xa4", "=?base64?w6Q=?="},
                {"=?base64?", "=?base64?PT9iYXNlNjQ/?="}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sp_mcp_field_write(sp_slice_of_text(rows[i].text), value);
        assert_string_equal(value, rows[i].value);
    }
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, size % 2 == 0 ? 'a' : '\n', size);
        text[size] = '\0';
        sp_mcp_field_write(sp_slice_of_text(text), value);
        assert_true(strlen(value) < sizeof value);
        assert_null(strpbrk(value, "\r\n"));
    }
    assert_string_equal(value, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_stateless_request_says_everything_twice, forget),
        cmocka_unit_test_teardown(a_request_of_a_handshake_says_nothing, forget),
        cmocka_unit_test_teardown(
            what_is_no_message_is_answered_and_what_wants_no_answer_is_not, forget),
        cmocka_unit_test_teardown(a_cancel_says_what_is_to_end, forget),
        cmocka_unit_test(a_field_holds_what_no_field_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
