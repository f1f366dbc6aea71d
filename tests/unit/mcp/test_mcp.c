// SPDX-License-Identifier: MIT
// Requests and what they are answered, against a pit whose worker lives in the test.
#include "scene.h"

#include "api/inside.h"
#include "base/memory.h"
#include "mcp/mcp.h"

#define POST          "POST /mcp"
#define REQUEST(rest) "{\"jsonrpc\":\"2.0\",\"id\":1," rest "}"
#define PING          REQUEST("\"method\":\"ping\"")
#define CALL(name, more) \
    REQUEST("\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"" more "}")

static int open_mcp(void **state)
{
    (void)open_daemon(state);
    struct sp_api *api = server.options.user;
    api->mcp = &sp_mcp;
    server.config.max_message = 1 << 20;
    return 0;
}

#define mcp_test(name) cmocka_unit_test_setup_teardown(name, open_mcp, close_daemon)

static void a_daemon_without_it_says_so(void **state)
{
    (void)state;
    ask(POST, REQUEST("\"method\":\"ping\""));
    assert_holds(404, "does not speak MCP");
}

static void a_tool_is_called_by_its_pool_and_its_name(void **state)
{
    (void)state;
    ask(POST, CALL("default.echo", ",\"arguments\":{\"x\":1}"));
    assert_answer(200,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":"
                  "\"text\",\"text\":\"{\\\"x\\\":1}\"}],\"structuredContent\":{"
                  "\"result\":{\"x\":1}},\"isError\":false,\"_meta\":{}}}");
    assert_field("snakepit-call-id: ");
    ask(POST, CALL("default.fault", ",\"arguments\":{}"));
    assert_holds(200, "\"text\":\"ValueError: ");
    assert_holds(200, "\"isError\":true");
}

static void a_call_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        REQUEST("\"method\":\"tools/call\""),
        CALL("default", ""),
        CALL("default.", ""),
        CALL("nowhere.echo", ""),
        CALL("default.echo", ",\"arguments\":7"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ask(POST, bodies[i]);
        assert_holds(200, "\"error\":{\"code\":-32602,");
    }
    fake_request(&fake, &server, POST, CALL("default.echo", ""));
    fake_field(&fake, "snakepit-priority", "9");
    fake_handle(&fake, &server);
    assert_holds(200, "Snakepit-Priority is not a number of 0 to 7");
}

static void a_request_is_cancelled_by_its_number(void **state)
{
    (void)state;
    struct fake_exchange other = {.room = 0};
    fake_request(&fake, &server, POST, CALL("default.never", ",\"arguments\":{}"));
    fake_field(&fake, "mcp-session-id", "mine");
    fake_handle_only(&fake);
    assert_false(fake.ended);
    static const char cancel[] = "{\"jsonrpc\":\"2.0\",\"method\":"
                                 "\"notifications/cancelled\",\"params\":{"
                                 "\"requestId\":1}}";
    static const char *const sessions[] = {"theirs", "mine"};
    for (size_t i = 0; i < 2; i++) {
        fake_request(&other, &server, POST, cancel);
        fake_field(&other, "mcp-session-id", sessions[i]);
        fake_handle_only(&other);
        assert_int_equal(other.status, 202);
        fake_free(&other);
        other = (struct fake_exchange){.room = 0};
        if (i == 0) {
            fake_daemon_run(&server, NULL);
            assert_false(fake.ended);
        }
    }
    fake_daemon_run(&server, &fake.ended);
    assert_holds(200, "\"text\":\"CANCELLED: ");
}

static void a_client_that_goes_leaves_nothing(void **state)
{
    (void)state;
    fake_request(&fake, &server, POST, CALL("default.never", ",\"arguments\":{}"));
    fake_handle_only(&fake);
    fake_leave(&fake);
    fake_request(&fake, &server, POST, REQUEST("\"method\":\"tools/list\""));
    fake_handle_only(&fake);
    if (!fake.ended) {
        fake_leave(&fake);
    }
    fake_request(&fake, &server, "GET /mcp", NULL);
    fake_field(&fake, "accept", "text/event-stream");
    fake_handle_only(&fake);
    assert_int_equal(fake.status, 200);
    fake_leave(&fake);
}

static void a_batch_is_answered_once_all_of_it_is(void **state)
{
    (void)state;
    fake_request(&fake,
                 &server,
                 POST,
                 "[" PING "," CALL("default.never", ",\"arguments\":{}") "]");
    fake_field(&fake, "mcp-session-id", "mine");
    fake_handle_only(&fake);
    fake_daemon_run(&server, NULL);
    assert_false(fake.ended);
    struct fake_exchange other = {.room = 0};
    fake_request(&other,
                 &server,
                 POST,
                 "[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                 "\"params\":{\"requestId\":1}}]");
    fake_field(&other, "mcp-session-id", "mine");
    fake_handle_only(&other);
    assert_int_equal(other.status, 202);
    fake_free(&other);
    fake_daemon_run(&server, &fake.ended);
    assert_holds(200, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},");
    assert_holds(200, "\"text\":\"CANCELLED: ");
}

static void a_client_that_goes_leaves_nothing_of_its_batch(void **state)
{
    (void)state;
    static const char *const batches[] = {
        "[" CALL("default.never", ",\"arguments\":{}") "]",
        "[" PING "," CALL("default.never", "") "," CALL("default.never", "") "," PING
                                                                             "]",
        "[" REQUEST("\"method\":\"tools/list\"") "," CALL("default.never", "") "]",
    };
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        fake_request(&fake, &server, POST, batches[i]);
        fake_handle_only(&fake);
        assert_false(fake.ended);
        fake_leave(&fake);
    }
}

// Every answer is whole, and says that there was no memory or does without.
static void without_memory_it_says_so(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        REQUEST("\"method\":\"initialize\",\"params\":{}"),
        REQUEST("\"method\":\"tools/list\""),
        CALL("default.echo", ",\"arguments\":{\"x\":[1,\"a\"]}"),
        REQUEST("\"method\":\"nothing\""),
        "[" PING "," CALL("default.echo", ",\"arguments\":{}") "," PING ",7]",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int failed = 1;
        for (long n = 1; failed; n++) {
            fake_request(&fake, &server, POST, bodies[i]);
            assert_int_equal(sp_buf_reserve(&fake.body, 1 << 16), SNAKEPIT_OK);
            sp_memory_fail_at(n);
            fake_handle(&fake, &server);
            failed = sp_memory_has_failed();
            sp_memory_fail_at(0);
            assert_true(fake.status == 200 || fake.status >= 400);
        }
        assert_int_equal(fake.status, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_daemon_without_it_says_so),
        mcp_test(a_tool_is_called_by_its_pool_and_its_name),
        mcp_test(a_call_that_cannot_be_made_is_an_error),
        mcp_test(a_request_is_cancelled_by_its_number),
        mcp_test(a_client_that_goes_leaves_nothing),
        mcp_test(a_batch_is_answered_once_all_of_it_is),
        mcp_test(a_client_that_goes_leaves_nothing_of_its_batch),
        mcp_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
