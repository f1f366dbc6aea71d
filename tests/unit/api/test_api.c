// SPDX-License-Identifier: MIT
// Requests and what they are answered, against a pit whose worker lives in the test.
#include "scene.h"

#include "api/router.h"
#include "base/memory.h"

// ---- Stacks ---------------------------------------------------------------------

static void stacks_are_of_workers_that_there_are(void **state)
{
    (void)state;
    ask("GET /v1/workers/999/stacks", NULL);
    assert_holds(404, "there is no worker 999; the ids are listed");
    ask("GET /v1/workers/x/stacks", NULL);
    assert_holds(400, "a worker's id is a number");
    ask("GET /v1/workers/0/stacks", NULL);
    assert_int_equal(fake.status, 400);
    ask("GET /v1/pools/nowhere/stacks", NULL);
    assert_holds(404, "UNKNOWN_POOL");
}

// The fake worker has no process.
static void why_there_are_none_is_told_of_each_worker_of_a_pool(void **state)
{
    (void)state;
    ask("GET /v1/pools/default/stacks", NULL);
    assert_holds(200, "{\"workers\":[{\"pool\":\"default\",\"worker\":1,");
    assert_holds(200, "\"error\":\"there is no worker 1;");
    assert_holds(200, "\"stacks\":[]}]}");
    ask("GET /v1/workers/1/stacks", NULL);
    assert_holds(404, "NOT_FOUND");
}

// ---- Calls ----------------------------------------------------------------------

static void a_call_is_answered_with_its_result(void **state)
{
    (void)state;
    ask("POST /v1/pools/default/tools/echo", "{\"x\":1}");
    assert_answer(200, "{\"x\":1}");
    assert_string_equal(fake.type, "application/json");
    assert_field("snakepit-call-id: ");
    ask("POST /v1/pools/default/tools/echo", NULL); // which answers with nothing then
    assert_holds(502, "without a value");
}

static void messagepack_goes_both_ways(void **state)
{
    (void)state;
    fake_request(&fake, &server, "POST /v1/pools/default/tools/echo", NULL);
    fake.exchange.request.body = sp_slice_of_text("\x81\xa1x\x01");
    fake_field(&fake, "content-type", "application/msgpack");
    fake_field(&fake, "accept", "application/msgpack");
    fake_handle(&fake, &server);
    assert_answer(200, "\x81\xa1x\x01");
    assert_string_equal(fake.type, "application/msgpack");
    fake_request(&fake, &server, "POST /v1/pools/default/tools/echo", "{}");
    fake_field(&fake, "accept", "text/html");
    fake_handle(&fake, &server);
    assert_holds(406, "Accept");
}

static void a_fault_has_its_status(void **state)
{
    (void)state;
    ask("POST /v1/pools/default/tools/fault", "{}");
    assert_holds(500, "\"name\":\"TOOL_FAILED\"");
    assert_holds(500, "\"type\":\"ValueError\"");
    assert_string_equal(fake.type, "application/problem+json");
    ask("POST /v1/pools/nowhere/tools/echo", "{}");
    assert_holds(404, "UNKNOWN_POOL");
    ask("POST /v1/pools/default/tools/echo", "[1]");
    assert_holds(400, "the body must be a JSON object");
    ask("POST /v1/pools/default/tools/echo", "{\"x\":");
    assert_holds(400, "the call's arguments: line 1");
}

static void fields_say_how(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"snakepit-timeout-ms", "0"},
                                         {"snakepit-timeout-ms", "1s"},
                                         {"snakepit-timeout-ms", "86400001"},
                                         {"snakepit-timeout-ms", ""},
                                         {"snakepit-priority", "8"},
                                         {"snakepit-session", ""},
                                         {"snakepit-idempotent", "yes"},
                                         {"snakepit-call-id", "17"},
                                         {"snakepit-call-id", "a b"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fake_request(&fake, &server, "POST /v1/pools/default/tools/echo", "{}");
        fake_field(&fake, bad[i][0], bad[i][1]);
        fake_handle(&fake, &server);
        assert_holds(400, "INVALID_ARGUMENT");
    }
    fake_request(&fake, &server, "POST /v1/pools/default/tools/never", "{}");
    fake_field(&fake, "snakepit-timeout-ms", "20");
    fake_field(&fake, "snakepit-priority", "7");
    fake_field(&fake, "snakepit-session", "mine");
    fake_field(&fake, "snakepit-idempotent", "true");
    fake_field(&fake, "snakepit-call-id", "my.call");
    fake_handle(&fake, &server);
    assert_holds(504, "DEADLINE_EXCEEDED");
    assert_field("snakepit-call-id: my.call\n");
    ask("GET /v1/sessions/mine", NULL);
    assert_answer(200, "{\"session\":\"mine\",\"keys\":[]}");
}

// The fake worker does not end what is cancelled; the library answers for it.
static void a_call_is_cancelled_by_its_name(void **state)
{
    struct fake_exchange other = {.room = 0};
    (void)state;
    fake_request(&fake, &server, "POST /v1/pools/default/tools/never", "{}");
    fake_field(&fake, "snakepit-call-id", "first");
    fake_handle_only(&fake);
    assert_false(fake.ended);
    fake_request(&other, &server, "POST /v1/pools/default/tools/echo", "{}");
    fake_field(&other, "snakepit-call-id", "first");
    fake_handle(&other, &server);
    assert_int_equal(other.status, 409);
    fake_request(&other, &server, "DELETE /v1/calls/first", NULL);
    fake_handle(&other, &server);
    assert_int_equal(other.status, 202);
    fake_daemon_run(&server, &fake.ended);
    assert_holds(499, "CANCELLED");
    fake_request(&other, &server, "DELETE /v1/calls/first", NULL);
    fake_handle(&other, &server);
    assert_int_equal(other.status, 404);
    fake_free(&other);
}

static void a_client_that_goes_cancels(void **state)
{
    (void)state;
    fake_request(&fake, &server, "POST /v1/pools/default/tools/never", "{}");
    fake_field(&fake, "snakepit-call-id", "first");
    fake_handle_only(&fake);
    fake_leave(&fake);
    fake_daemon_run(&server, NULL);
    assert_true(fake_pit_cancels() <= 1); // it may have been taken back unstarted
    ask("DELETE /v1/calls/first", NULL);
    assert_int_equal(fake.status, 404);
}

// ---- Streams --------------------------------------------------------------------

static void ask_for_events(const char *line)
{
    fake_request(&fake, &server, line, "{}");
    fake_field(&fake, "accept", "text/event-stream");
}

static void a_stream_ends_with_an_event(void **state)
{
    (void)state;
    ask_for_events("POST /v1/pools/default/tools/echo");
    fake_handle(&fake, &server);
    assert_answer(200, "event: end\ndata: {\"result\":{}}\n\n");
    assert_string_equal(fake.type, "text/event-stream");
    assert_false(fake.failed);
}

static void a_stream_that_fails_at_once_has_a_status(void **state)
{
    (void)state;
    ask_for_events("POST /v1/pools/default/tools/fault");
    fake_handle(&fake, &server);
    assert_holds(500, "\"name\":\"TOOL_FAILED\"");
    assert_string_equal(fake.type, "application/problem+json");
    ask_for_events("POST /v1/pools/nowhere/tools/echo");
    fake_handle(&fake, &server);
    assert_holds(404, "UNKNOWN_POOL");
}

static void a_client_without_room_is_waited_for(void **state)
{
    (void)state;
    ask_for_events("POST /v1/pools/default/tools/echo");
    fake.room = 0;
    fake_handle_only(&fake);
    fake_daemon_run(&server, NULL);
    assert_int_equal(fake.replies, 0);
    fake.room = SIZE_MAX;
    fake.exchange.listener->writable(fake.exchange.user);
    fake_daemon_run(&server, &fake.ended);
    assert_holds(200, "event: end");
}

static void a_reader_that_goes_closes_the_stream(void **state)
{
    (void)state;
    ask_for_events("POST /v1/pools/default/tools/never");
    fake_field(&fake, "snakepit-call-id", "s");
    fake_handle_only(&fake);
    fake_leave(&fake);
    ask("DELETE /v1/calls/s", NULL);
    assert_int_equal(fake.status, 404);
}

// ---- Pools ----------------------------------------------------------------------

static void pools_are_told(void **state)
{
    (void)state;
    ask("GET /v1/pools", NULL);
    assert_holds(200, "{\"pools\":[{\"name\":\"default\",\"profile\":\"process\"");
    ask("GET /v1/pools/default", NULL);
    assert_holds(200, "\"workers_now\":[{\"id\":1,\"pid\":");
    assert_holds(200, "\"health\":{\"status\":\"unknown\"");
    assert_holds(200, "\"breakers\":[]");
    ask("HEAD /v1/pools/default", NULL);
    assert_int_equal(fake.status, 200);
    ask("GET /v1/pools/nowhere", NULL);
    assert_holds(404, "UNKNOWN_POOL");
    ask("GET /v1/pools/default/tools", NULL); // the fake worker has no table
    assert_holds(502, "without a value");
    ask("GET /v1/pools/nowhere/tools", NULL);
    assert_holds(404, "UNKNOWN_POOL");
}

static void pools_are_changed(void **state)
{
    (void)state;
    ask("POST /v1/pools/default:recycle", NULL);
    assert_answer(202, "");
    ask("POST /v1/pools/nowhere:recycle", NULL);
    assert_holds(404, "nowhere");
    ask("POST /v1/pools/default:retry", NULL);
    assert_answer(202, "");
    ask("POST /v1/pools/default:resize", NULL);
    assert_holds(400, "how many");
    ask("POST /v1/pools/default:resize?workers=3", NULL);
    assert_holds(400, "pool_size must be a range"); // it has none
    ask("POST /v1/workers/x:recycle", NULL);
    assert_holds(400, "number");
    ask("POST /v1/workers/99:recycle", NULL);
    assert_holds(404, "there is no worker 99; ");
    ask("POST /v1/pools:reload", NULL);
    assert_holds(501, "read again");
    ask("POST /v1:drain", NULL);
    assert_holds(501, "UNSUPPORTED");
}

// ---- Sessions -------------------------------------------------------------------

static void sessions_keep_values(void **state)
{
    (void)state;
    ask("PUT /v1/sessions/a%20b/values/k?ttl_ms=100000", "[1,\"x\"]");
    assert_answer(204, "");
    assert_string_equal(fake.type, "");
    ask("GET /v1/sessions/a%20b", NULL);
    assert_answer(200, "{\"session\":\"a b\",\"keys\":[\"k\"]}");
    ask("GET /v1/sessions/a%20b/values/k", NULL);
    assert_answer(200, "[1,\"x\"]");
    fake_request(&fake, &server, "GET /v1/sessions/a%20b/values/k", NULL);
    fake_field(&fake, "accept", "application/msgpack");
    fake_handle(&fake, &server);
    assert_answer(200, "\x92\x01\xa1x");
    ask("DELETE /v1/sessions/a%20b/values/k", NULL);
    assert_answer(204, "");
    ask("DELETE /v1/sessions/a%20b/values/k", NULL);
    assert_holds(404, "NOT_FOUND");
    assert_holds(404, "there is no session \\\"a b\\\", or it has no value \\\"k\\\"");
    ask("GET /v1/sessions/a%20b/values/k", NULL);
    assert_holds(404, "has no value");
    ask("DELETE /v1/sessions/a%20b", NULL);
    assert_answer(204, "");
    ask("GET /v1/sessions/a%20b", NULL);
    assert_holds(404, "there is no session");
    ask("DELETE /v1/sessions/a%20b", NULL);
    assert_holds(404, "there is no session \\\"a b\\\"");
}

static void values_are_checked(void **state)
{
    (void)state;
    ask("PUT /v1/sessions/s/values/k?ttl_ms=0", "1");
    assert_holds(400, "ttl_ms");
    ask("PUT /v1/sessions/s/values/k", "{\"a\":");
    assert_holds(400, "the value: line 1");
    ask("PUT /v1/sessions/s/values/k", NULL);
    assert_holds(400, "MALFORMED");
    ask("PUT /v1/sessions/s/values/k",
        "{\"$tensor\":{\"dtype\":\"uint8\",\"shape\":[1],\"data\":\"AA==\"}}");
    assert_holds(500, "UNSERIALISABLE");
}

// ---- Probes ---------------------------------------------------------------------

static void probes_are_answered(void **state)
{
    (void)state;
    ask("GET /livez", NULL);
    assert_answer(200, "ok\n");
    ask("GET /readyz", NULL);
    assert_answer(200, "ready\n");
    ask("GET /readyz?verbose", NULL);
    assert_answer(200, "[+] default: ready, 1 of 1 workers\nready\n");
    server.loop.draining = true;
    ask("GET /readyz?verbose", NULL);
    assert_holds(503, "[-] the daemon drains\nnot ready\n");
    ask("GET /livez", NULL);
    assert_int_equal(fake.status, 200);
    ask("GET /problems/SATURATED", NULL);
    assert_holds(200, "SATURATED (4): the pool's line is full.\nHTTP status 429.");
    ask("GET /problems/OK", NULL);
    assert_int_equal(fake.status, 404);
}

static void the_first_page_lists_each_path(void **state)
{
    (void)state;
    ask("GET /", NULL);
    assert_holds(200, "Snakepit " SNAKEPIT_VERSION "\n");
    assert_holds(200, "\nPOST /v1/pools/{pool}/tools/{tool}\n    Calls a tool ");
    for (size_t i = 0; i < SP_ROUTES; i++) {
        char lines[256];
        (void)snprintf(lines,
                       sizeof lines,
                       " %s\n    %s\n",
                       sp_routes[i].pattern,
                       sp_routes[i].summary);
        assert_holds(200, lines);
    }
}

static uint64_t pool_calls(void)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    return stats.calls;
}

static void the_interface_is_told(void **state)
{
    (void)state;
    ask("GET /openapi.json", NULL);
    assert_holds(200, "{\"openapi\":\"3.1.0\"");
    assert_holds(200, "\"/v1/pools/{pool}/tools/{tool}\":{\"post\":{");
    ask("GET /openapi.json", NULL); // the one that was kept
    assert_holds(200, "{\"openapi\":\"3.1.0\"");
}

static void those_who_ask_for_the_interface_at_once_share_it(void **state)
{
    static struct fake_exchange others[32];
    (void)state;
    const uint64_t before = pool_calls();
    for (size_t i = 0; i < 32; i++) {
        fake_request(&others[i], &server, "GET /openapi.json", NULL);
        fake_handle_only(&others[i]);
    }
    fake_leave(&others[0]);
    fake_leave(&others[5]);
    fake_daemon_run(&server, &others[31].ended);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(others[i].status, i == 0 || i == 5 ? 0 : 200);
        fake_free(&others[i]);
    }
    assert_int_equal(pool_calls() - before, 1);
}

static void who_asks_for_the_interface_may_go(void **state)
{
    (void)state;
    fake_request(&fake, &server, "GET /openapi.json", NULL);
    fake_handle_only(&fake);
    assert_false(fake.ended);
    fake_leave(&fake);
    fake_daemon_run(&server, NULL);
    ask("GET /openapi.json", NULL);
    assert_int_equal(fake.status, 200);
}

// ---- Without memory ---------------------------------------------------------------

// Whichever request for memory fails: one answer, and the next request is served. Room
// for what comes back is made before.
static void
each_request_survives(const char *line, const char *body, const char *accept)
{
    bool failed = true;
    for (long n = 1; failed; n++) {
        fake_request(&fake, &server, line, body);
        fake_field(&fake, "accept", accept);
        fake_field(&fake, "snakepit-call-id", "named");
        assert_int_equal(sp_buf_reserve(&fake.body, 1 << 16), SNAKEPIT_OK);
        sp_memory_fail_at(n);
        fake_handle(&fake, &server);
        failed = sp_memory_has_failed() != 0;
        sp_memory_fail_at(0);
        assert_true(fake.replies <= 1);
        assert_true(fake.status == 200 || fake.status == 503 || fake.status == 204 ||
                    fake.status == 500 || fake.status == 400);
        assert_true(n < 1000);
    }
    assert_true(fake.status == 200 || fake.status == 204);
}

static void without_memory_each_has_one_answer(void **state)
{
    (void)state;
    each_request_survives("POST /v1/pools/default/tools/echo", "{\"x\":1}", "*/*");
    each_request_survives(
        "POST /v1/pools/default/tools/echo", "{\"x\":1}", "application/msgpack");
    each_request_survives(
        "POST /v1/pools/default/tools/echo", "{\"x\":1}", "text/event-stream");
    each_request_survives("GET /v1/pools", NULL, "*/*");
    each_request_survives("GET /v1/pools/default", NULL, "*/*");
    each_request_survives("PUT /v1/sessions/s/values/k", "[1]", "*/*");
    each_request_survives("GET /v1/sessions/s", NULL, "*/*");
    each_request_survives("GET /v1/sessions/s/values/k", NULL, "*/*");
    each_request_survives("GET /readyz?verbose", NULL, "*/*");
    each_request_survives("GET /openapi.json", NULL, "*/*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(stacks_are_of_workers_that_there_are),
        test(why_there_are_none_is_told_of_each_worker_of_a_pool),
        test(a_call_is_answered_with_its_result),
        test(messagepack_goes_both_ways),
        test(a_fault_has_its_status),
        test(fields_say_how),
        test(a_call_is_cancelled_by_its_name),
        test(a_client_that_goes_cancels),
        test(a_stream_ends_with_an_event),
        test(a_stream_that_fails_at_once_has_a_status),
        test(a_client_without_room_is_waited_for),
        test(a_reader_that_goes_closes_the_stream),
        test(pools_are_told),
        test(pools_are_changed),
        test(sessions_keep_values),
        test(values_are_checked),
        test(probes_are_answered),
        test(the_first_page_lists_each_path),
        test(the_interface_is_told),
        test(those_who_ask_for_the_interface_at_once_share_it),
        test(who_asks_for_the_interface_may_go),
        test(without_memory_each_has_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
