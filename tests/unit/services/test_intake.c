// SPDX-License-Identifier: MIT
// Messages that are large, slow or late, of calls whose client may be anybody.
#include "services/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_exchange.h"
#include "fake_pit.h"
#include "services/call.h"
#include "services/services.h"

#define BYTES(text) ((struct sp_slice){(const uint8_t *)(text), sizeof(text) - 1})
#define CALL        "/snakepit.v1.Snakepit/Call"
#define CHECK       "/grpc.health.v1.Health/Check"
#define REFLECTION  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define SERVICES    "\0\0\0\0\x02\x3a\0" // ServerReflectionRequest{list_services: ""}
// CallRequest{tool: "echo", arguments: {json: "{}"}}, without its frame.
#define ECHO   \
    "\x12\x04" \
    "echo"     \
    "\x1a\x04\x12\x02{}"
#define FRAME "\0\0\0\0\x0c" // of this

static struct fake_daemon server;
static struct fake_exchange fake;
static struct sp_budget budget;

static int open_daemon(void **state)
{
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    server.options.handle = sp_services_handle;
    server.config.max_message = 1000000;
    server.config.body_timeout_ms = 1000;
    server.config.body_min_rate = 500;
    budget = (struct sp_budget){.most = 1000000};
    server.loop.budget = &budget;
    return 0;
}

static int close_daemon(void **state)
{
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    fake_daemon_close(&server);
    assert_int_equal(atomic_load(&budget.used), 0);
    return pit_tidy(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_daemon, close_daemon)

static void begin(const char *path, const char *timeout)
{
    fake_grpc_request(&fake, &server, path);
    fake_field(&fake, "content-type", "application/grpc");
    if (timeout != NULL) {
        fake_field(&fake, "grpc-timeout", timeout);
    }
    fake_handle_only(&fake);
}

static void assert_ended(const char *fields)
{
    assert_true(fake.ended);
    assert_non_null(strstr(fake.fields, fields));
}

static struct sp_grpc_call *call_of_fake(void)
{
    return fake.exchange.user;
}

// As if the message had begun so much earlier.
static void let_pass(uint64_t seconds)
{
    assert_int_not_equal(call_of_fake()->since_ns, 0);
    call_of_fake()->since_ns -= seconds * SP_NS_PER_S;
}

// ---- Size -----------------------------------------------------------------------

static void what_anybody_may_ask_is_small_and_does_not_count(void **state)
{
    static const uint8_t zeros[4095];
    (void)state;
    begin(CHECK, NULL);
    fake_receive(&fake, BYTES("\0\0\0\x10\x01"));
    assert_ended("grpc-status: 8\ngrpc-message: the message is larger than 4 KiB");
    begin(CHECK, NULL);
    fake_receive(&fake, BYTES("\0\0\0\x10\0"));
    fake_receive(&fake, (struct sp_slice){zeros, sizeof zeros});
    assert_int_equal(atomic_load(&budget.used), 0);
    fake_leave(&fake);
}

static void what_needs_a_token_may_be_larger(void **state)
{
    static const uint8_t zeros[4097];
    (void)state;
    begin(CALL, NULL);
    fake_receive(&fake, BYTES("\0\0\0\x10\x02"));
    fake_receive(&fake, (struct sp_slice){zeros, sizeof zeros});
    assert_false(fake.ended);
    assert_true(atomic_load(&budget.used) >= sizeof zeros);
    fake_leave(&fake);
}

// ---- Pace -----------------------------------------------------------------------

static void a_message_that_comes_too_slowly_ends_its_call(void **state)
{
    (void)state;
    begin(CALL, NULL);
    fake_receive(&fake, BYTES("\0\0\0\0\x06\x12"));
    let_pass(1); // which it may take
    fake_receive(&fake, BYTES("\x04"));
    assert_false(fake.ended);
    let_pass(1);
    fake_receive(&fake, BYTES("e"));
    assert_ended("grpc-status: 8\ngrpc-message: the message comes slower than");
}

static void a_message_that_is_whole_is_not_slow(void **state)
{
    (void)state;
    begin(CALL, NULL);
    fake_receive(&fake, BYTES(FRAME));
    let_pass(100);
    fake_receive(&fake, BYTES(ECHO));
    fake_complete(&fake);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 0\n");
}

static void half_a_message_does_not_stay_with_a_call_that_has_answered(void **state)
{
    (void)state;
    begin(REFLECTION, NULL);
    fake_receive(&fake, BYTES(SERVICES "\0\0\0"));
    assert_int_equal(fake.replies, 1);
    let_pass(3);
    fake_daemon_run(&server, &fake.ended); // without a further byte
    assert_ended("grpc-status: 8\ngrpc-message: the message comes slower than");
}

static void between_messages_nothing_is_slow(void **state)
{
    (void)state;
    begin(REFLECTION, NULL);
    fake_receive(&fake, BYTES(SERVICES "\0\0\0"));
    let_pass(1);
    fake_receive(&fake, BYTES("\0\x02\x3a\0"));
    assert_int_equal(call_of_fake()->since_ns, 0);
    fake_complete(&fake);
    assert_ended("grpc-status: 0\n");
}

static void what_waits_for_its_client_to_read_is_not_slow(void **state)
{
    (void)state;
    begin(REFLECTION, NULL);
    fake_receive(&fake, BYTES(SERVICES "\0\0\0"));
    let_pass(100);
    fake.room = 0;
    fake_receive(&fake, BYTES("\0\x02\x3a\0\0"));
    assert_false(fake.ended);
    fake.room = SIZE_MAX;
    fake.exchange.listener->writable(fake.exchange.user);
    assert_false(fake.ended);
    fake_leave(&fake);
}

// ---- Deadlines --------------------------------------------------------------------

static void a_deadline_ends_a_call_whose_message_is_not_whole(void **state)
{
    (void)state;
    begin(CALL, "20m");
    fake_receive(&fake,
                 BYTES("\0\0\0\0\x10"
                       "ab"));
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 4\n");
    begin(CALL, "20m"); // nothing of it comes
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 4\n");
}

static void a_client_may_go_before_its_deadline(void **state)
{
    (void)state;
    begin(CALL, "20m");
    fake_leave(&fake);
    begin(CALL, "20m");
    fake_daemon_run(&server, NULL);
    assert_ended("grpc-status: 4\n");
    begin(CALL, "1H");
    fake_daemon_run(&server, NULL);
    assert_true(sp_timer_runs(&call_of_fake()->deadline));
    fake_leave(&fake);
    assert_true(sp_list_empty(&server.loop.loop.timers));
}

static void a_message_that_comes_at_once_starts_no_timer(void **state)
{
    (void)state;
    begin(CALL, "1H");
    fake_receive(&fake, BYTES(FRAME ECHO));
    fake_complete(&fake);
    assert_true(sp_list_empty(&server.loop.loop.timers));
    assert_true(sp_list_empty(&server.loop.loop.tasks));
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_anybody_may_ask_is_small_and_does_not_count),
        test(what_needs_a_token_may_be_larger),
        test(a_message_that_comes_too_slowly_ends_its_call),
        test(a_message_that_is_whole_is_not_slow),
        test(half_a_message_does_not_stay_with_a_call_that_has_answered),
        test(between_messages_nothing_is_slow),
        test(what_waits_for_its_client_to_read_is_not_slow),
        test(a_deadline_ends_a_call_whose_message_is_not_whole),
        test(a_client_may_go_before_its_deadline),
        test(a_message_that_comes_at_once_starts_no_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
