// SPDX-License-Identifier: MIT
// Calls of tools whose messages are large; test_grpc.c has the small ones.
#include "fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_pit.h"
#include "services/services.h"

#define CALL   "/snakepit.v1.Snakepit/Call"
#define STREAM "/snakepit.v1.Snakepit/Stream"

static struct fake_daemon server;
static struct fake_exchange fake;

static int open_daemon(void **state)
{
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    server.options.handle = sp_services_handle;
    server.config.max_message = 4 << 20;
    return 0;
}

static int close_daemon(void **state)
{
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    fake_daemon_close(&server);
    return pit_tidy(state);
}

static void ask(const char *path, struct sp_slice body, const char *wanted)
{
    fake_grpc_request(&fake, &server, path);
    fake_field(&fake, "content-type", "application/grpc");
    fake_handle_only(&fake);
    fake_receive(&fake, body);
    fake_complete(&fake);
    if (!fake.ended) {
        fake_daemon_run(&server, &fake.ended);
    }
    assert_non_null(strstr(fake.fields, wanted));
}

// A request whose JSON has blanks in it, so many that it is large.
static struct sp_buf large_request(void)
{
    enum { BLANKS = 2 << 20 };
    static const uint8_t head[] = {0x12, 4, 'e', 'c', 'h', 'o'};
    const size_t json = BLANKS + 2;
    struct sp_buf body = {0};
    const size_t size = sizeof head + 5 + 5 + json;
    const uint8_t prefix[] = {
        0, 0, (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    assert_int_equal(sp_buf_append(&body, prefix, sizeof prefix), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&body, head, sizeof head), SNAKEPIT_OK);
    for (int level = 0; level < 2; level++) {
        const size_t left = level == 0 ? json + 5 : json;
        const uint8_t field[] = {level == 0 ? 0x1a : 0x12,
                                 (uint8_t)(left | 0x80u),
                                 (uint8_t)(left >> 7 | 0x80u),
                                 (uint8_t)(left >> 14 | 0x80u),
                                 (uint8_t)(left >> 21)};
        assert_int_equal(sp_buf_append(&body, field, sizeof field), SNAKEPIT_OK);
    }
    assert_int_equal(sp_buf_reserve(&body, json), SNAKEPIT_OK);
    memset(body.data + body.size, ' ', json);
    body.data[body.size] = '{';
    body.data[body.size + json - 1] = '}';
    body.size += json;
    return body;
}

static void what_is_large_is_read_as_what_is_small(void **state)
{
    static const char *const paths[] = {CALL, STREAM};
    struct sp_buf body = large_request();
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(paths[i], (struct sp_slice){body.data, body.size}, "grpc-status: 0\n");
    }
    body.data[body.size - 1] = ']';
    ask(CALL, (struct sp_slice){body.data, body.size}, "grpc-status: 3\n");
    sp_buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_large_is_read_as_what_is_small, open_daemon, close_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
