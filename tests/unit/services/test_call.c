// SPDX-License-Identifier: MIT
// Methods that the daemon does not have, as programs with methods of their own serve
// them, and what such a method may do with a call that it holds.
#include "services/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_exchange.h"
#include "fake_pit.h"
#include "services/grpc.h"

#define BYTES(text) ((struct sp_slice){(const uint8_t *)(text), sizeof(text) - 1})
#define MESSAGE     BYTES("\0\0\0\0\x02hi")
#define PATH        "/test.Service/Method"

static struct fake_daemon server;
static struct fake_exchange fake;
static struct sp_grpc_call *held;
static unsigned overs;

static int open_daemon(void **state)
{
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    server.config.max_message = 1000;
    held = NULL;
    overs = 0;
    return 0;
}

static int close_daemon(void **state)
{
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    fake_daemon_close(&server);
    return pit_tidy(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_daemon, close_daemon)

// ---- A method of its own --------------------------------------------------------

static const struct sp_field first = {{(const uint8_t *)"x-first", 7},
                                      {(const uint8_t *)"1", 1}};
static const struct sp_field last = {{(const uint8_t *)"x-last", 6},
                                     {(const uint8_t *)"2", 1}};

static void send_back(struct sp_grpc_call *call, struct sp_slice message)
{
    uint8_t frame[64] = {0, 0, 0, 0, (uint8_t)message.size};
    memcpy(frame + 5, message.data, message.size);
    sp_grpc_open_with(call, (struct sp_grpc_metadata){&first, 1});
    assert_true(sp_grpc_send(call, (struct sp_slice){frame, 5 + message.size}));
}

static void end(struct sp_grpc_call *call)
{
    struct sp_grpc_status status = {.code = SP_GRPC_OK};
    sp_grpc_status_set(&status, SP_GRPC_ABORTED, "of its own");
    sp_grpc_open_with(call, (struct sp_grpc_metadata){&first, 1});
    sp_grpc_finish_with(call, &status, (struct sp_grpc_metadata){&last, 1});
}

static void count_over(struct sp_grpc_call *call)
{
    (void)call;
    overs++;
}

static const struct sp_grpc_holder holder = {
    .message = send_back, .complete = end, .over = count_over};

static void hold(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    held = call;
    sp_grpc_hold(call, &holder);
}

static void answer_at_once(struct sp_grpc_call *call, struct sp_slice message)
{
    hold(call, message);
    send_back(call, message);
    end(call);
}

static void ask(enum sp_grpc_kind kind, sp_grpc_fn *handler)
{
    static struct sp_grpc_method method;
    method =
        (struct sp_grpc_method){.path = BYTES(PATH), .kind = kind, .handler = handler};
    fake_grpc_request(&fake, &server, PATH);
    fake_field(&fake, "content-type", "application/grpc");
    sp_grpc_handle_with(&fake.exchange, &method);
}

static void assert_answered_once(void)
{
    assert_true(fake.ended);
    assert_int_equal(fake.replies, 1);
    assert_int_equal(overs, 1);
    assert_non_null(strstr(fake.fields, "x-first: 1\n"));
    assert_non_null(strstr(fake.fields, "grpc-status: 10\ngrpc-message: of its own\n"));
    assert_non_null(strstr(fake.fields, "x-last: 2\n"));
}

// ---- Tests ----------------------------------------------------------------------

static void a_program_may_serve_methods_of_its_own(void **state)
{
    (void)state;
    ask(SP_GRPC_UNARY, answer_at_once);
    fake_receive(&fake, MESSAGE);
    fake_complete(&fake);
    assert_answered_once();
    assert_memory_equal(fake_body(&fake), MESSAGE.data, MESSAGE.size);
}

static void what_it_does_not_have_is_unimplemented(void **state)
{
    (void)state;
    fake_grpc_request(&fake, &server, PATH);
    fake_field(&fake, "content-type", "application/grpc");
    sp_grpc_handle_with(&fake.exchange, NULL);
    assert_true(fake.ended);
    assert_non_null(strstr(fake.fields, "grpc-status: 12\n"));
}

static void metadata_goes_with_the_first_message_and_with_the_status(void **state)
{
    (void)state;
    ask(SP_GRPC_DUPLEX, hold);
    assert_int_equal(fake.replies, 0);
    fake_receive(&fake, MESSAGE);
    assert_string_equal(fake.fields, "x-first: 1\n");
    fake_receive(&fake, MESSAGE); // the answer has begun: metadata comes once
    assert_string_equal(fake.fields, "x-first: 1\n");
    assert_int_equal(fake.sends, 2);
    fake_complete(&fake);
    assert_answered_once();
}

static void a_call_may_end_outside_of_its_functions(void **state)
{
    (void)state;
    ask(SP_GRPC_DUPLEX, hold);
    end(held); // as from a timer, before its client has sent all
    assert_answered_once();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_program_may_serve_methods_of_its_own),
        test(what_it_does_not_have_is_unimplemented),
        test(metadata_goes_with_the_first_message_and_with_the_status),
        test(a_call_may_end_outside_of_its_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
