// SPDX-License-Identifier: MIT
// Requests of gRPC and what they are answered, against a pit whose worker lives in the
// test. Messages are written as bytes: who gets a byte wrong here is told by them.
#include "services/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "api/inside.h"
#include "base/memory.h"
#include "fake_exchange.h"
#include "fake_pit.h"
#include "services/services.h"

#define CALL       "/snakepit.v1.Snakepit/Call"
#define STREAM     "/snakepit.v1.Snakepit/Stream"
#define WATCH      "/grpc.health.v1.Health/Watch"
#define REFLECTION "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

// A message with its frame.
#define BYTES(text) ((struct sp_slice){(const uint8_t *)(text), sizeof(text) - 1})
// CallRequest{tool: "echo", arguments: {json: "{}"}}.
#define ECHO               \
    "\0\0\0\0\x0c\x12\x04" \
    "echo"                 \
    "\x1a\x04\x12\x02{}"
#define FAULT              \
    "\0\0\0\0\x07\x12\x05" \
    "fault"
#define NEVER              \
    "\0\0\0\0\x07\x12\x05" \
    "never"

static struct fake_daemon server;
static struct fake_exchange fake;

static int open_daemon(void **state)
{
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    server.options.handle = sp_services_handle;
    server.config.max_message = 1000;
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

static void request(const char *path)
{
    fake_grpc_request(&fake, &server, path);
    fake_field(&fake, "content-type", "application/grpc");
}

// Hands the request and its body over, and waits for the answer.
static void ask(struct sp_slice body)
{
    fake_handle_only(&fake);
    fake_receive(&fake, body);
    fake_complete(&fake);
    if (!fake.ended) {
        fake_daemon_run(&server, &fake.ended);
    }
}

static void assert_field(const char *line)
{
    if (strstr(fake.fields, line) == NULL) {
        fail_msg("%s is not among\n%s", line, fake.fields);
    }
}

static void assert_status(int code)
{
    char line[32];
    (void)snprintf(line, sizeof line, "grpc-status: %d\n", code);
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake.type, "application/grpc");
    assert_field(line);
}

static void assert_body(struct sp_slice wanted)
{
    assert_int_equal(fake.body.size, wanted.size);
    assert_memory_equal(fake_body(&fake), wanted.data, wanted.size);
}

// ---- Headers --------------------------------------------------------------------

static void a_call_is_answered_with_a_message_and_trailers(void **state)
{
    (void)state;
    request(CALL);
    ask(BYTES(ECHO));
    assert_status(0);
    assert_body(BYTES("\0\0\0\0\x06\x0a\x04\x12\x02{}"));
    assert_int_equal(fake.taken, sizeof ECHO - 1);
}

static void other_content_types_are_for_http_to_refuse(void **state)
{
    static const char *const types[] = {"application/grpc+json",
                                        "application/grpc-web"};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        fake_grpc_request(&fake, &server, CALL);
        fake_field(&fake, "content-type", types[i]);
        fake_handle_only(&fake);
        assert_int_equal(fake.status, 415);
        assert_string_equal(fake.type, "application/problem+json");
    }
    request(CALL);
    fake.exchange.request.method = SP_METHOD_GET;
    fake_handle_only(&fake);
    assert_int_equal(fake.status, 405);
    request(CALL);
    fake.exchange.request.version = 1;
    fake_handle_only(&fake);
    assert_int_equal(fake.status, 404);
}

static void a_refusal_has_its_code_and_no_message(void **state)
{
    static const struct {
        const char *path;
        const char *field;
        const char *value;
        int code;
    } rows[] = {
        {"/snakepit.v1.Snakepit/Nothing", "x", "y", 12},
        {"/nothing", "x", "y", 12},
        {CALL "/", "x", "y", 12},
        {CALL, "grpc-timeout", "1", 13},
        {CALL, "grpc-timeout", "123456789m", 13},
        {CALL, "grpc-timeout", "", 13},
        {CALL, "grpc-timeout", "0n", 4},
        {CALL, "grpc-encoding", "snappy", 12},
        {CALL, "origin", "https://evil.org", 7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        request(rows[i].path);
        fake_field(&fake, rows[i].field, rows[i].value);
        ask(BYTES(ECHO));
        assert_status(rows[i].code);
        assert_int_equal(fake.body.size, 0);
        assert_field("grpc-message: ");
        assert_field("grpc-accept-encoding: identity,gzip\n");
    }
    request(CALL);
    fake.exchange.request.host = sp_slice_of_text("evil.org");
    ask(BYTES(ECHO));
    assert_status(7);
}

static void metadata_is_read_as_over_http(void **state)
{
    static const char *const bad[][2] = {{"snakepit-priority", "8"},
                                         {"snakepit-session", ""},
                                         {"snakepit-session-bin", "Y$"},
                                         {"snakepit-idempotent", "yes"},
                                         {"snakepit-call-id", "17"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        request(CALL);
        fake_field(&fake, bad[i][0], bad[i][1]);
        ask(BYTES(ECHO));
        assert_status(3);
    }
    request(CALL);
    fake_field(&fake, "snakepit-priority", "7");
    fake_field(&fake, "snakepit-session-bin", "bWluZQ");
    fake_field(&fake, "snakepit-idempotent", "true");
    fake_field(&fake, "snakepit-call-id", "my.call");
    fake_field(&fake, "grpc-trace-bin", "AAAA");
    fake_field(&fake, "grpc-timeout", "99999999H");
    ask(BYTES(FAULT));
    assert_status(2);
    assert_field("snakepit-call-id: my.call\n");
    request("/snakepit.v1.Snakepit/GetSession");
    ask(BYTES("\0\0\0\0\x06\x0a\x04mine"));
    assert_status(0);
    assert_body(BYTES("\0\0\0\0\x06\x0a\x04mine"));
}

// ---- Bodies ---------------------------------------------------------------------

static void a_body_that_is_not_one_message_has_its_code(void **state)
{
    static const struct {
        struct sp_slice body;
        int code;
    } rows[] = {
        {{NULL, 0}, 12},
        {{(const uint8_t *)ECHO ECHO, 2 * sizeof ECHO - 2}, 12},
        {{(const uint8_t *)ECHO "\0", sizeof ECHO}, 12},
        {{(const uint8_t *)ECHO, sizeof ECHO - 2}, 13},
        {{(const uint8_t *)"\0\0", 2}, 13},
        {{(const uint8_t *)"\2", 1}, 13},
        {{(const uint8_t *)"\1\0\0\0\0", 5}, 13},     // compressed: how?
        {{(const uint8_t *)"\0\0\0\0\1\xff", 6}, 13}, // not a message
        {{(const uint8_t *)"\0\0\0\x03\xe9", 5}, 8},  // 1,001 bytes
        {{(const uint8_t *)"\0\xff\xff\xff\xff", 5}, 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        request(CALL);
        ask(rows[i].body);
        assert_status(rows[i].code);
    }
}

static void a_body_may_come_byte_by_byte(void **state)
{
    static const uint8_t body[] = ECHO;
    (void)state;
    request(CALL);
    fake_handle_only(&fake);
    for (size_t i = 0; i + 1 < sizeof body; i++) {
        fake_receive(&fake, (struct sp_slice){body + i, 1});
        assert_int_equal(fake.taken, i + 1);
    }
    fake_complete(&fake);
    fake_daemon_run(&server, &fake.ended);
    assert_status(0);
}

static struct sp_buf pack(const void *data, size_t size)
{
    struct sp_buf packed = {0};
    uint8_t room[4096];
    z_stream stream = {.next_in = NULL};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    stream.next_out = room;
    stream.avail_out = sizeof room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    const size_t got = sizeof room - stream.avail_out;
    const uint8_t prefix[] = {1, 0, 0, (uint8_t)(got >> 8), (uint8_t)got};
    assert_int_equal(deflateEnd(&stream), Z_OK);
    assert_int_equal(sp_buf_append(&packed, prefix, sizeof prefix), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&packed, room, got), SNAKEPIT_OK);
    return packed;
}

static void ask_packed(const void *data, size_t size)
{
    struct sp_buf packed = pack(data, size);
    request(CALL);
    fake_field(&fake, "grpc-encoding", "gzip");
    ask((struct sp_slice){packed.data, packed.size});
    sp_buf_fini(&packed);
}

static void gzip_is_unpacked_as_far_as_a_message_may_go(void **state)
{
    static const uint8_t bomb[100000];
    static const uint8_t echo[] = ECHO;
    (void)state;
    ask_packed(echo + 5, sizeof echo - 6);
    assert_status(0);
    ask_packed(bomb, sizeof bomb);
    assert_status(8);
    request(CALL);
    fake_field(&fake, "grpc-encoding", "gzip");
    ask(BYTES("\1\0\0\0\3abc"));
    assert_status(13);
    request(CALL);
    fake_field(&fake, "grpc-encoding", "gzip");
    ask(BYTES(ECHO)); // a message may come as it is
    assert_status(0);
    request(CALL);
    fake_field(&fake, "grpc-encoding", "identity");
    ask(BYTES(ECHO));
    assert_status(0);
}

// ---- Calls ----------------------------------------------------------------------

static void a_fault_has_code_message_and_details(void **state)
{
    (void)state;
    request(CALL);
    ask(BYTES(FAULT));
    assert_status(2);
    assert_field("grpc-message: ");
    assert_field("grpc-status-details-bin: ");
    assert_null(strstr(fake.fields, "pushback"));
    request(CALL);
    ask(BYTES("\0\0\0\0\x0f\x0a\x07nowhere\x12\x04"
              "echo"));
    assert_status(5);
    request(CALL);
    fake_field(&fake, "grpc-timeout", "20m");
    ask(BYTES(NEVER));
    assert_status(4);
}

static void a_client_that_goes_cancels(void **state)
{
    (void)state;
    request(CALL);
    fake_field(&fake, "snakepit-call-id", "mine");
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES(NEVER));
    fake_complete(&fake);
    fake_leave(&fake);
    fake_daemon_run(&server, NULL);
    assert_true(fake_pit_cancels() <= 1); // it may have been taken back unstarted
    request("/snakepit.v1.Snakepit/Cancel");
    ask(BYTES("\0\0\0\0\x06\x0a\x04mine"));
    assert_status(5);
}

static void a_client_may_go_before_its_message_is_whole(void **state)
{
    (void)state;
    request(CALL);
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES("\0\0\0\0\x0c\x12"));
    fake_leave(&fake);
}

static void a_call_is_cancelled_by_its_name(void **state)
{
    struct fake_exchange other = {.room = 0};
    (void)state;
    request(CALL);
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES("\0\0\0\0\x0d\x12\x05never\x3a\x04mine"));
    fake_complete(&fake);
    assert_false(fake.ended);
    fake_grpc_request(&other, &server, "/snakepit.v1.Snakepit/Cancel");
    fake_field(&other, "content-type", "application/grpc");
    fake_handle_only(&other);
    fake_receive(&other, BYTES("\0\0\0\0\x06\x0a\x04mine"));
    fake_complete(&other);
    assert_true(other.ended);
    assert_int_equal(other.body.size, 5);
    fake_daemon_run(&server, &fake.ended);
    assert_status(1);
    fake_free(&other);
}

static void a_stream_is_a_message_for_each_chunk(void **state)
{
    (void)state;
    request(STREAM);
    ask(BYTES(ECHO));
    assert_status(0);
    assert_body(BYTES("\0\0\0\0\x06\x12\x04\x12\x02{}"));
    request(STREAM);
    ask(BYTES(FAULT));
    assert_status(2);
    assert_int_equal(fake.body.size, 0);
}

// ---- Health ---------------------------------------------------------------------

static void health_is_told_of_pools_and_of_all(void **state)
{
    static const char *const known[] = {"",
                                        "\x0a\x07"
                                        "default"};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t body[32] = {0};
        body[4] = (uint8_t)strlen(known[i]);
        memcpy(body + 5, known[i], body[4]);
        request("/grpc.health.v1.Health/Check");
        ask((struct sp_slice){body, 5u + body[4]});
        assert_status(0);
        assert_body(BYTES("\0\0\0\0\x02\x08\x01"));
    }
    request("/grpc.health.v1.Health/Check");
    ask(BYTES("\0\0\0\0\x06\x0a\x04none"));
    assert_status(5);
    server.loop.draining = true;
    request("/grpc.health.v1.Health/Check");
    ask(BYTES("\0\0\0\0\0"));
    assert_body(BYTES("\0\0\0\0\x02\x08\x02"));
}

static void a_watch_is_told_at_once_and_ends_with_a_drain(void **state)
{
    (void)state;
    request(WATCH);
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES("\0\0\0\0\0"));
    fake_complete(&fake);
    assert_false(fake.ended);
    assert_body(BYTES("\0\0\0\0\x02\x08\x01"));
    server.loop.draining = true;
    fake_daemon_run(&server, &fake.ended);
    assert_body(BYTES("\0\0\0\0\x02\x08\x01\0\0\0\0\x02\x08\x02"));
    assert_status(14);
}

static void a_watch_ends_with_its_time_or_its_client(void **state)
{
    (void)state;
    request(WATCH);
    fake_field(&fake, "grpc-timeout", "10m");
    ask(BYTES("\0\0\0\0\x06\x0a\x04none"));
    assert_body(BYTES("\0\0\0\0\x02\x08\x03"));
    assert_status(4);
    request(WATCH);
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES("\0\0\0\0\0"));
    fake_complete(&fake);
    fake_leave(&fake);
}

// ---- Reflection -----------------------------------------------------------------

static void reflection_answers_each_message(void **state)
{
    (void)state;
    request(REFLECTION);
    fake_handle_only(&fake);
    fake_receive(&fake, BYTES("\0\0\0\0\x02\x3a\0"));
    assert_non_null(memmem(fake.body.data, fake.body.size, "snakepit.v1.Snakepit", 20));
    const size_t first = fake.body.size;
    fake_receive(&fake, BYTES("\0\0\0\0\x16\x22\x14snakepit.v1.Snakepit"));
    assert_non_null(
        memmem(fake.body.data + first, fake.body.size - first, "CallRequest", 11));
    fake_receive(&fake, BYTES("\0\0\0\0\x03\x22\x01x"));
    assert_int_equal(fake.taken, 7 + 27 + 8);
    fake_complete(&fake);
    assert_true(fake.ended);
    assert_status(0);
}

static void what_a_client_does_not_read_is_not_made(void **state)
{
    size_t asked = 0;
    (void)state;
    request(REFLECTION);
    fake.room = 0;
    fake_handle_only(&fake);
    for (; asked < 100; asked++) {
        fake_receive(&fake, BYTES("\0\0\0\0\x02\x3a\0"));
    }
    fake_complete(&fake);
    assert_int_equal(fake.body.size, 0);
    assert_int_equal(fake.taken, 0);
    fake.room = 1;
    fake.exchange.listener->writable(fake.exchange.user);
    assert_int_equal(fake.sends, 1);
    assert_int_equal(fake.taken, 7);
    fake.room = SIZE_MAX;
    fake.exchange.listener->writable(fake.exchange.user);
    assert_int_equal(fake.sends, asked);
    assert_true(fake.ended);
    assert_status(0);
}

static void both_ways_end_with_what_is_wrong(void **state)
{
    static const struct {
        struct sp_slice body;
        int code;
    } rows[] = {
        {{NULL, 0}, 0},
        {{(const uint8_t *)"\0\0", 2}, 13},
        {{(const uint8_t *)"\2", 1}, 13},
        {{(const uint8_t *)"\0\0\0\0\1\xff", 6}, 13},
        {{(const uint8_t *)"\0\0\0\x03\xe9", 5}, 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        request(REFLECTION);
        fake_handle_only(&fake);
        fake_receive(&fake, rows[i].body);
        fake_complete(&fake);
        assert_true(fake.ended);
        assert_status(rows[i].code);
    }
    request(REFLECTION);
    fake_handle_only(&fake);
    fake_leave(&fake);
}

// ---- Memory ---------------------------------------------------------------------

// What the calls before have left would be used again.
static void forget_room(void)
{
    struct sp_api_loop *loop = sp_api_loop_of(&fake.exchange);
    assert_non_null(loop);
    if (loop->spare != NULL) {
        loop->drop_spare(loop->spare);
        loop->spare = NULL;
    }
    sp_blocks_fini(&server.loop.blocks);
}

// Hands it over with the nth request for memory failing. False: none has failed.
static bool survives(const char *path, struct sp_slice body, long nth)
{
    request(path);
    forget_room();
    assert_int_equal(sp_buf_reserve(&fake.body, 1 << 16), SNAKEPIT_OK);
    sp_memory_fail_at(nth);
    fake_handle_only(&fake);
    fake_receive(&fake, body);
    fake_complete(&fake);
    const bool failed = sp_memory_has_failed() != 0;
    sp_memory_fail_at(0);
    if (!fake.ended) {
        fake_daemon_run(&server, &fake.ended);
    }
    assert_int_equal(fake.replies, 1);
    return failed;
}

static void without_memory_each_has_one_answer(void **state)
{
    static const struct {
        const char *path;
        struct sp_slice body;
    } rows[] = {
        {CALL, {(const uint8_t *)ECHO, sizeof ECHO - 1}},
        {STREAM, {(const uint8_t *)ECHO, sizeof ECHO - 1}},
        {CALL, {(const uint8_t *)FAULT, sizeof FAULT - 1}},
        {"/snakepit.v1.Snakepit/ListPools", {(const uint8_t *)"\0\0\0\0\0", 5}},
        {"/snakepit.v1.Snakepit/GetPool", {(const uint8_t *)"\0\0\0\0\0", 5}},
        {"/grpc.health.v1.Health/List", {(const uint8_t *)"\0\0\0\0\0", 5}},
        {REFLECTION, {(const uint8_t *)"\0\0\0\0\x02\x3a\0", 7}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        long nth = 1;
        while (survives(rows[i].path, rows[i].body, nth)) {
            nth++;
        }
        assert_true(nth > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_is_answered_with_a_message_and_trailers),
        test(other_content_types_are_for_http_to_refuse),
        test(a_refusal_has_its_code_and_no_message),
        test(metadata_is_read_as_over_http),
        test(a_body_that_is_not_one_message_has_its_code),
        test(a_body_may_come_byte_by_byte),
        test(gzip_is_unpacked_as_far_as_a_message_may_go),
        test(a_fault_has_code_message_and_details),
        test(a_client_that_goes_cancels),
        test(a_client_may_go_before_its_message_is_whole),
        test(a_call_is_cancelled_by_its_name),
        test(a_stream_is_a_message_for_each_chunk),
        test(health_is_told_of_pools_and_of_all),
        test(a_watch_is_told_at_once_and_ends_with_a_drain),
        test(a_watch_ends_with_its_time_or_its_client),
        test(reflection_answers_each_message),
        test(what_a_client_does_not_read_is_not_made),
        test(both_ways_end_with_what_is_wrong),
        test(without_memory_each_has_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
