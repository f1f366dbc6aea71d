// SPDX-License-Identifier: MIT
#include "mcp/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "payload/writer.h"

#define META                                                  \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

static snakepit_writer *value;
static struct sp_mcp_message message;

static int forget(void **state)
{
    (void)state;
    snakepit_writer_free(value);
    value = NULL;
    return 0;
}

static int read_code(const char *json)
{
    snakepit_reader reader;
    snakepit_message why;
    snakepit_writer_free(value);
    value = snakepit_writer_new();
    assert_int_equal(snakepit_writer_json(value, json, strlen(json), &why),
                     SNAKEPIT_OK);
    snakepit_reader_init(&reader, value->buf.data, value->buf.size);
    const struct sp_mcp_wrong wrong = sp_mcp_message_read(&reader, &message);
    assert_true((wrong.code == 0) == (wrong.why == NULL));
    return wrong.code;
}

static void a_request_has_a_method_and_an_id(void **state)
{
    (void)state;
    assert_int_equal(
        read_code("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\","
                  "\"params\":{\"name\":\"a.b\",\"_meta\":{"
                  "\"progressToken\":\"t\",\"traceparent\":\"00-\","
                  "\"tracestate\":\"a=b\"}}}"),
        0);
    assert_int_equal(message.kind, SP_MCP_REQUEST);
    assert_int_equal(message.method, SP_MCP_TOOLS_CALL);
    assert_true(sp_mcp_is(sp_mcp_text_at(&message.token), "t"));
    assert_true(sp_mcp_is(message.parent, "00-"));
    assert_true(sp_mcp_is(message.state, "a=b"));
    struct sp_slice name;
    assert_true(sp_mcp_text(&message.params, "name", &name));
    assert_true(sp_mcp_is(name, "a.b"));
    assert_false(sp_mcp_text(&message.params, "nothing", &name));
}

static void what_has_no_id_is_a_notification(void **state)
{
    (void)state;
    assert_int_equal(
        read_code("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}"), 0);
    assert_int_equal(message.kind, SP_MCP_NOTIFICATION);
    assert_int_equal(message.method, SP_MCP_CANCELLED);
    assert_false(sp_mcp_is_there(&message.params));
}

static void answers_to_nothing_are_no_requests(void **state)
{
    (void)state;
    assert_int_equal(read_code("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"), 0);
    assert_int_equal(message.kind, SP_MCP_RESPONSE);
    assert_int_equal(read_code("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{}}"), 0);
    assert_int_equal(message.kind, SP_MCP_RESPONSE);
}

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int code;
    } rows[] = {
        {"[]", SP_MCP_INVALID_REQUEST},
        {"null", SP_MCP_INVALID_REQUEST},
        {"{}", SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
         SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}",
         SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", SP_MCP_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":1}",
         SP_MCP_INVALID_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{"
         "\"_meta\":[]}}",
         SP_MCP_INVALID_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{"
         "\"_meta\":{\"progressToken\":{}}}}",
         SP_MCP_INVALID_PARAMS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (read_code(rows[i].json) != rows[i].code) {
            fail_msg("%s", rows[i].json);
        }
    }
}

static void an_id_is_at_most_so_long(void **state)
{
    char json[SP_MCP_ID_MOST + 100];
    char id[SP_MCP_ID_MOST + 2];
    (void)state;
    memset(id, 'x', sizeof id);
    for (size_t more = 0; more < 2; more++) {
        id[SP_MCP_ID_MOST + more] = '\0';
        (void)snprintf(json,
                       sizeof json,
                       "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"ping\"}",
                       id);
        assert_int_equal(read_code(json), more == 0 ? 0 : SP_MCP_INVALID_REQUEST);
        id[SP_MCP_ID_MOST] = 'x';
    }
}

// ---- Eras -----------------------------------------------------------------------

#define LIST_WITH(meta) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" meta "}}"
#define CALL_WITH(name)                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":" \
    "\"" name "\"," META "}}"

static const struct {
    const char *json;
    const char *version, *method, *name; // "": there is none
    int code;
    enum sp_mcp_era era;
} eras[] = {
    {LIST_WITH(""), "", "", "", 0, SP_MCP_HANDSHAKE},
    {LIST_WITH(""), "2025-06-18", "", "", 0, SP_MCP_HANDSHAKE},
    {LIST_WITH(""), "2025-03-26", "", "", 0, SP_MCP_HANDSHAKE},
    {LIST_WITH(""), "2024-11-05", "", "", SP_MCP_UNSUPPORTED_VERSION, SP_MCP_HANDSHAKE},
    {LIST_WITH(""),
     "2026-07-28",
     "tools/list",
     "",
     SP_MCP_INVALID_PARAMS,
     SP_MCP_STATELESS},
    {LIST_WITH(META), "2026-07-28", "tools/list", "", 0, SP_MCP_STATELESS},
    {LIST_WITH(META), "", "tools/list", "", SP_MCP_HEADER_MISMATCH, SP_MCP_STATELESS},
    {LIST_WITH(META), "2026-07-28", "", "", SP_MCP_HEADER_MISMATCH, SP_MCP_STATELESS},
    {CALL_WITH("a.b"), "2026-07-28", "tools/call", "a.b", 0, SP_MCP_STATELESS},
    {CALL_WITH("a.b"),
     "2026-07-28",
     "tools/call",
     "=?base64?YS5i?=",
     0,
     SP_MCP_STATELESS},
    {CALL_WITH("a.b"),
     "2026-07-28",
     "tools/call",
     "=?base64?YS5j?=",
     SP_MCP_HEADER_MISMATCH,
     SP_MCP_STATELESS},
    {CALL_WITH("a.b"),
     "2026-07-28",
     "tools/call",
     "=?base64?*?=",
     SP_MCP_HEADER_MISMATCH,
     SP_MCP_STATELESS},
    {CALL_WITH("a.b"),
     "2026-07-28",
     "tools/call",
     "a.c",
     SP_MCP_HEADER_MISMATCH,
     SP_MCP_STATELESS},
    {CALL_WITH("a.b"),
     "2026-07-28",
     "tools/call",
     "",
     SP_MCP_HEADER_MISMATCH,
     SP_MCP_STATELESS},
    {LIST_WITH("\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":7}"),
     "2026-07-28",
     "tools/list",
     "",
     SP_MCP_INVALID_PARAMS,
     SP_MCP_STATELESS},
};

static void fields_decide_the_era(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof eras / sizeof eras[0]; i++) {
        enum sp_mcp_era era;
        const struct sp_mcp_fields fields = {.wanted = true,
                                             .version =
                                                 sp_slice_of_text(eras[i].version),
                                             .method = sp_slice_of_text(eras[i].method),
                                             .name = sp_slice_of_text(eras[i].name)};
        assert_int_equal(read_code(eras[i].json), 0);
        const struct sp_mcp_wrong wrong = sp_mcp_era_of(&message, &fields, &era);
        if (wrong.code != eras[i].code || era != eras[i].era) {
            fail_msg("row %zu: %d %s", i, wrong.code, wrong.why);
        }
    }
}

static void without_fields_the_message_decides(void **state)
{
    (void)state;
    enum sp_mcp_era era;
    const struct sp_mcp_fields none = {.wanted = false};
    assert_int_equal(read_code(CALL_WITH("a.b")), 0);
    assert_int_equal(sp_mcp_era_of(&message, &none, &era).code, 0);
    assert_int_equal(era, SP_MCP_STATELESS);
    assert_int_equal(read_code(LIST_WITH("")), 0);
    assert_int_equal(sp_mcp_era_of(&message, &none, &era).code, 0);
    assert_int_equal(era, SP_MCP_HANDSHAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_request_has_a_method_and_an_id, forget),
        cmocka_unit_test_teardown(what_has_no_id_is_a_notification, forget),
        cmocka_unit_test_teardown(answers_to_nothing_are_no_requests, forget),
        cmocka_unit_test_teardown(what_is_no_message_is_refused, forget),
        cmocka_unit_test_teardown(an_id_is_at_most_so_long, forget),
        cmocka_unit_test_teardown(fields_decide_the_era, forget),
        cmocka_unit_test_teardown(without_fields_the_message_decides, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
