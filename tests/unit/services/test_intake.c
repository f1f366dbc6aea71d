// SPDX-License-Identifier: MIT
// Messages that are large, slow or late, of calls whose client may be anybody.
#include "services/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "api/large.h"
#include "base/clock.h"
#include "fake_exchange.h"
#include "fake_pit.h"
#include "grpc/reply.h"
#include "services/call.h"
#include "services/grpc.h"
#include "services/services.h"

#define BYTES(text) ((struct sp_slice){(const uint8_t *)(text), sizeof(text) - 1})
#define CALL        "/snakepit.v1.Snakepit/Call"
#define STREAM      "/snakepit.v1.Snakepit/Stream"
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
    static const struct sp_log log = {.level = SP_LOG_OFF};
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    server.options.handle = sp_services_handle;
    server.config.max_message = 1000000;
    server.config.body_timeout_ms = 1000;
    server.config.body_min_rate = 500;
    budget = (struct sp_budget){.most = 1000000};
    server.loop.budget = &budget;
    server.options.log = &log;
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

// ---- Compression ------------------------------------------------------------------

#define LARGE 3000000u // bytes of a message

// A message of so many zeros in gzip, with its frame, behind what is there.
static void pack(struct sp_buf *out, size_t size)
{
    uint8_t *zeros = calloc(1, size);
    z_stream stream = {.next_in = NULL};
    assert_non_null(zeros);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    assert_int_equal(sp_buf_reserve(out, size / 100 + 1024), SNAKEPIT_OK);
    uint8_t *frame = out->data + out->size;
    stream.next_in = zeros;
    stream.avail_in = (uInt)size;
    stream.next_out = frame + 5;
    stream.avail_out = (uInt)(size / 100 + 1000);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(sp_grpc_frame_set(frame, stream.total_out), SNAKEPIT_OK);
    frame[0] = 1;
    out->size += 5 + stream.total_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    free(zeros);
}

static size_t got;

static void keep_size(struct sp_grpc_call *call, struct sp_slice message)
{
    got = message.size;
    sp_grpc_refuse(call->exchange, SP_GRPC_OK, NULL);
}

static void add_size(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)call;
    got = got * 10 + message.size % 10;
}

static void hold(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {.message = add_size};
    (void)message;
    sp_grpc_hold(call, &holder);
}

static void begin_packed(enum sp_grpc_kind kind, sp_grpc_fn *handler)
{
    static struct sp_grpc_method method;
    method = (struct sp_grpc_method){.kind = kind, .handler = handler};
    got = 0;
    budget.most = 2 * LARGE;
    server.config.max_message = LARGE;
    fake_grpc_request(&fake, &server, "/test.Service/Method");
    fake_field(&fake, "content-type", "application/grpc");
    fake_field(&fake, "grpc-encoding", "gzip");
    sp_grpc_handle_with(&fake.exchange, &method);
}

static void receive_packed(size_t size)
{
    struct sp_buf packed = {0};
    pack(&packed, size);
    fake_receive(&fake, (struct sp_slice){packed.data, packed.size});
    sp_buf_fini(&packed);
}

static void what_is_large_is_unpacked_beside_the_loop(void **state)
{
    (void)state;
    begin_packed(SP_GRPC_UNARY, keep_size);
    receive_packed(LARGE);
    fake_complete(&fake);
    assert_false(fake.ended); // not by who reads
    assert_int_equal(got, 0);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 0\n");
    assert_int_equal(got, LARGE);
    begin_packed(SP_GRPC_UNARY, keep_size);
    receive_packed(LARGE + 1);
    fake_complete(&fake);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 8\n");
}

static void what_is_small_is_unpacked_at_once(void **state)
{
    (void)state;
    begin_packed(SP_GRPC_UNARY, keep_size);
    receive_packed(SP_API_LARGE);
    fake_complete(&fake);
    assert_ended("grpc-status: 0\n");
    assert_int_equal(got, SP_API_LARGE);
}

static void what_is_unpacked_counts_while_it_grows(void **state)
{
    (void)state;
    begin_packed(SP_GRPC_UNARY, keep_size);
    budget.most = LARGE / 2;
    receive_packed(LARGE);
    fake_complete(&fake);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 14\n");
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void a_client_may_go_while_its_message_is_unpacked(void **state)
{
    (void)state;
    begin_packed(SP_GRPC_UNARY, keep_size);
    receive_packed(LARGE);
    fake_complete(&fake);
    fake_leave(&fake);
    assert_true(sp_list_empty(&server.loop.loop.tasks));
    assert_int_equal(got, 0);
}

static void messages_that_are_unpacked_keep_their_order(void **state)
{
    (void)state;
    begin_packed(SP_GRPC_DUPLEX, hold);
    receive_packed(1001);
    receive_packed(LARGE - 8); // ends with a 2
    receive_packed(1003);
    receive_packed(LARGE - 6); // with a 4
    fake_complete(&fake);
    assert_int_equal(got, 1);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 0\n");
    assert_int_equal(got, 1234);
}

static void what_anybody_may_ask_is_small_also_when_it_is_unpacked(void **state)
{
    (void)state;
    fake_grpc_request(&fake, &server, CHECK);
    fake_field(&fake, "content-type", "application/grpc");
    fake_field(&fake, "grpc-encoding", "gzip");
    fake_handle_only(&fake);
    receive_packed(SP_GRPC_OPEN_MOST + 1);
    fake_complete(&fake);
    assert_ended("grpc-status: 8\n");
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

static void a_deadline_ends_a_stream_that_its_client_does_not_read(void **state)
{
    (void)state;
    begin(STREAM, "50m");
    fake.room = 0;
    fake_receive(&fake, BYTES(FRAME ECHO));
    fake_complete(&fake);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 4\n");
    assert_int_equal(fake.body.size, 0);
}

static void a_stream_that_is_read_again_goes_on(void **state)
{
    (void)state;
    begin(STREAM, "1H");
    fake.room = 0;
    fake_receive(&fake, BYTES(FRAME ECHO));
    fake_complete(&fake);
    fake_daemon_run(&server, NULL);
    assert_false(fake.ended);
    fake.room = SIZE_MAX;
    fake.exchange.listener->writable(fake.exchange.user);
    fake_daemon_run(&server, &fake.ended);
    assert_ended("grpc-status: 0\n");
    assert_true(sp_list_empty(&server.loop.loop.timers));
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
        test(what_is_large_is_unpacked_beside_the_loop),
        test(what_is_small_is_unpacked_at_once),
        test(what_is_unpacked_counts_while_it_grows),
        test(a_client_may_go_while_its_message_is_unpacked),
        test(messages_that_are_unpacked_keep_their_order),
        test(what_anybody_may_ask_is_small_also_when_it_is_unpacked),
        test(a_deadline_ends_a_call_whose_message_is_not_whole),
        test(a_client_may_go_before_its_deadline),
        test(a_message_that_comes_at_once_starts_no_timer),
        test(a_deadline_ends_a_stream_that_its_client_does_not_read),
        test(a_stream_that_is_read_again_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
