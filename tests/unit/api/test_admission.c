// SPDX-License-Identifier: MIT
// Which requests are let in: by their path, their fields and where they come from.
#include "scene.h"

static void what_is_not_there_is_a_problem(void **state)
{
    (void)state;
    ask("GET /nothing", NULL);
    assert_holds(404, "\"title\":\"Not Found\",\"status\":404");
    assert_holds(404, "GET / lists all paths");
    assert_string_equal(fake.type, "application/problem+json");
    ask("PUT /livez", NULL);
    assert_holds(405, "GET, HEAD, OPTIONS");
    assert_field("allow: GET, HEAD, OPTIONS\n");
    ask("GET /v1/pools/%zz", NULL);
    assert_holds(400, "badly encoded");
}

static void a_parameter_that_nobody_reads_is_refused(void **state)
{
    (void)state;
    ask("GET /readyz?verbos", NULL);
    assert_holds(400, "there is no parameter \\\"verbos\\\" here");
    ask("POST /v1/pools/default:resize?worker=3", NULL);
    assert_holds(400, "takes workers");
    ask("GET /readyz?verbose=1", NULL);
    assert_int_equal(fake.status, 200);
}

static void a_body_needs_its_type(void **state)
{
    (void)state;
    fake_request(&fake, &server, "POST /v1/pools/default/tools/echo", NULL);
    fake.exchange.request.body = sp_slice_of_text("{}");
    fake_field(&fake, "content-type", "text/plain");
    fake_handle(&fake, &server);
    assert_holds(415, "application/json");
}

static void a_body_is_not_compressed(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        fake_request(&fake, &server, "POST /v1/pools/default/tools/echo", "{}");
        fake_field(&fake, "content-encoding", plain ? "identity" : "gzip");
        fake_handle(&fake, &server);
        if (!plain) {
            assert_holds(415, "leave Content-Encoding away");
        }
    }
    assert_int_equal(fake.status, 200);
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const names[] = {"snakepit-timeout-ms",
                                        "snakepit-session",
                                        "content-encoding",
                                        "content-type",
                                        "origin",
                                        "grpc-timeout"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fake_request(&fake, &server, "GET /v1/pools", NULL);
        fake_field(&fake, names[i], "1");
        fake_field(&fake, "accept", "*/*");
        fake_field(&fake, names[i], "1");
        fake_handle(&fake, &server);
        assert_holds(400, "is there twice; send it once");
        assert_holds(400, names[i]);
    }
    fake_request(&fake, &server, "GET /v1/pools", NULL);
    fake_field(&fake, "accept", "text/html");
    fake_field(&fake, "accept", "*/*");
    fake_handle(&fake, &server);
    assert_int_equal(fake.status, 200);
}

static void strangers_are_sent_away(void **state)
{
    (void)state;
    fake_request(&fake, &server, "GET /v1/pools", NULL);
    fake.exchange.request.host = sp_slice_of_text("evil.org");
    fake_handle(&fake, &server);
    assert_holds(421, "Host");
    fake_request(&fake, &server, "GET /v1/pools", NULL);
    fake_field(&fake, "origin", "https://evil.org");
    fake_handle(&fake, &server);
    assert_holds(403, "origin");
    fake_request(&fake, &server, "GET /v1/pools", NULL);
    fake_field(&fake, "origin", "http://127.0.0.1:8470");
    fake_handle(&fake, &server);
    assert_int_equal(fake.status, 200);
}

static void a_socket_has_no_host_to_check(void **state)
{
    (void)state;
    (void)snprintf(server.door.address, sizeof server.door.address, "unix:/run/x");
    fake_request(&fake, &server, "GET /livez", NULL);
    fake.exchange.request.host = sp_slice_of_text("anything");
    fake_handle(&fake, &server);
    assert_answer(200, "ok\n");
}

static void a_page_that_is_named_may_read(void **state)
{
    char app[] = "https://app.example.com";
    char *items[] = {app};
    (void)state;
    server.config.origins = (struct sp_texts){items, 1};
    fake_request(&fake, &server, "OPTIONS /v1/pools/default/tools/echo", NULL);
    fake_field(&fake, "origin", app);
    fake_handle(&fake, &server);
    assert_int_equal(fake.status, 204);
    assert_field("access-control-allow-methods: POST, OPTIONS\n");
    fake_request(&fake, &server, "POST /v1/pools/default/tools/fault", "{}");
    fake_field(&fake, "origin", app);
    fake_handle(&fake, &server);
    assert_int_equal(fake.status, 500);
    assert_field("access-control-allow-origin: https://app.example.com\n");
    assert_field("vary: Origin\n");
    ask("OPTIONS *", NULL);
    assert_int_equal(fake.status, 204);
    assert_null(strstr(fake.fields, "access-control"));
    ask("OPTIONS /nothing", NULL);
    assert_int_equal(fake.status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_not_there_is_a_problem),
        test(a_parameter_that_nobody_reads_is_refused),
        test(a_body_needs_its_type),
        test(a_body_is_not_compressed),
        test(what_could_be_read_in_two_ways_is_refused),
        test(strangers_are_sent_away),
        test(a_socket_has_no_host_to_check),
        test(a_page_that_is_named_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
