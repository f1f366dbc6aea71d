// SPDX-License-Identifier: MIT
// Requests whose body is large, in whatever order their parts come.
#include "fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/large.h"
#include "base/memory.h"
#include "fake_pit.h"

static struct fake_daemon server;
static struct fake_exchange fake;
static struct sp_buf body;
static struct sp_offload offload;

static void on_woken(void *user)
{
    sp_offload_take(user);
}

static int open_daemon(void **state)
{
    snakepit_message why;
    (void)pit_prepare(state);
    pit_open_ready("session_quota: 4MiB\n|");
    fake_daemon_open(&server, pit, NULL);
    server.loop.loop.woken = on_woken;
    server.loop.loop.user = &server.loop;
    sp_list_init(&server.loop.offloaded);
    server.loop.offload = &offload;
    offload = (struct sp_offload){.count = 0};
    assert_int_equal(sp_offload_start(&offload, &why), SNAKEPIT_OK);
    return 0;
}

static int close_daemon(void **state)
{
    sp_offload_stop(&offload);
    sp_offload_take(&server.loop);
    sp_offload_fini(&offload);
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    sp_buf_fini(&body);
    fake_daemon_close(&server);
    return pit_tidy(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_daemon, close_daemon)

// `{"a": "xxx..."}` behind `before`, more than a large one; the protocol's own.
static void send_large(const char *line, const char *before, const char *behind)
{
    static char text[SP_API_LARGE + 1000];
    memset(text, 'x', sizeof text);
    sp_buf_fini(&body);
    assert_int_equal(sp_buf_append(&body, before, strlen(before)), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&body, text, sizeof text), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&body, behind, strlen(behind)), SNAKEPIT_OK);
    fake_request(&fake, &server, line, "");
    fake.exchange.request.body = (struct sp_slice){body.data, body.size};
    fake.exchange.request.body_buf = &body;
}

static void call_large(const char *tool)
{
    static char line[128]; // that the request borrows
    (void)snprintf(line, sizeof line, "POST /v1/pools/default/tools/%s", tool);
    send_large(line, "{\"a\":\"", "\"}");
}

static void assert_holds(unsigned status, const char *part)
{
    if (fake.status != status || strstr(fake_body(&fake), part) == NULL) {
        fail_msg("%u %.500s", fake.status, fake_body(&fake));
    }
}

static void a_large_call_is_answered_and_its_body_taken(void **state)
{
    (void)state;
    call_large("fault");
    fake_handle(&fake, &server);
    assert_null(body.data);
    assert_holds(500, "\"error\"");
}

static void what_is_wrong_with_a_large_body_is_told(void **state)
{
    (void)state;
    send_large("POST /v1/pools/default/tools/echo", "{\"a\":\"", "\"");
    fake_handle(&fake, &server);
    assert_holds(400, "the call's arguments: line 1");
    send_large("POST /v1/pools/default/tools/echo", "[\"", "\"]");
    fake_handle(&fake, &server);
    assert_holds(400, "must be a JSON object");
    send_large("POST /v1/pools/none/tools/echo", "{\"a\":\"", "\"}");
    fake_handle(&fake, &server);
    assert_holds(404, "UNKNOWN_POOL");
    call_large("echo");
    fake_field(&fake, "snakepit-timeout-ms", "soon");
    fake_handle(&fake, &server);
    assert_holds(400, "Snakepit-Timeout-Ms");
}

// The status of a small call that fails, under the name of the large one.
static unsigned status_under_its_name(void)
{
    struct fake_exchange second = {.room = 0};
    fake_request(&second, &server, "POST /v1/pools/default/tools/fault", "{}");
    fake_field(&second, "snakepit-call-id", "mine");
    fake_handle(&second, &server);
    unsigned status = second.status;
    fake_free(&second);
    return status;
}

static void a_name_is_taken_while_its_arguments_are_read(void **state)
{
    unsigned status;
    (void)state;
    call_large("never");
    fake_field(&fake, "snakepit-call-id", "mine");
    fake_handle_only(&fake);
    assert_int_equal(status_under_its_name(), 409);
    fake_leave(&fake);
    do {
        fake_daemon_run(&server, NULL);
        status = status_under_its_name();
    } while (status == 409);
    assert_int_equal(status, 500);
}

static uint64_t cancelled(void)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    return stats.cancelled;
}

static void who_leaves_before_it_is_read_cancels_it(void **state)
{
    (void)state;
    call_large("never");
    fake_handle_only(&fake);
    fake_leave(&fake);
    while (cancelled() == 0) {
        fake_daemon_run(&server, NULL);
    }
    call_large("echo");
    fake_handle_only(&fake);
    fake_leave(&fake);
    send_large("POST /v1/pools/default/tools/echo", "{\"a\":\"", "\"");
    fake_handle_only(&fake);
    fake_leave(&fake);
    send_large("PUT /v1/sessions/s/values/k", "\"", "\"");
    fake_handle_only(&fake);
    fake_leave(&fake);
}

static void a_large_value_is_put_and_read(void **state)
{
    (void)state;
    send_large("PUT /v1/sessions/s/values/k", "\"", "\"");
    fake_handle(&fake, &server);
    assert_holds(204, "");
    fake_request(&fake, &server, "GET /v1/sessions/s/values/k", NULL);
    fake_handle(&fake, &server);
    assert_int_equal(fake.status, 200);
    assert_int_equal(fake.body.size, SP_API_LARGE + 1002);
    send_large("PUT /v1/sessions/s/values/k", "\"", "");
    fake_handle(&fake, &server);
    assert_holds(400, "the value: line 1");
}

static void a_stream_may_have_large_arguments(void **state)
{
    (void)state;
    call_large("fault");
    fake_field(&fake, "accept", "text/event-stream");
    fake_handle(&fake, &server);
    assert_holds(500, "\"error\"");
    call_large("never");
    fake_field(&fake, "accept", "text/event-stream");
    fake_handle_only(&fake);
    fake_leave(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_large_call_is_answered_and_its_body_taken),
        test(what_is_wrong_with_a_large_body_is_told),
        test(a_name_is_taken_while_its_arguments_are_read),
        test(who_leaves_before_it_is_read_cancels_it),
        test(a_large_value_is_put_and_read),
        test(a_stream_may_have_large_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
