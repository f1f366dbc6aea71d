// SPDX-License-Identifier: MIT
// Calls of tools whose messages are large; test_grpc.c has the small ones.
#include "fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fake_pit.h"
#include "protobuf/wire.h"
#include "server/budget.h"
#include "services/services.h"

#define test(name) cmocka_unit_test_setup_teardown(name, open_daemon, close_daemon)

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

// ---- Large tensors --------------------------------------------------------------

enum { TENSOR = 3 << 19 };

#define REACHED "grpc-status: 2\n" // the tool: it says that it has failed

static void add_bytes(struct sp_buf *buf, uint32_t number, const struct sp_buf *bytes)
{
    const struct sp_slice slice = {bytes->data, bytes->size};
    assert_int_equal(sp_wire_add_bytes(buf, number, slice), SNAKEPIT_OK);
}

// A call of a tool that fails, with a tensor of TENSOR bytes, which says that it has
// `extent`.
static struct sp_buf tensor_request(uint64_t extent)
{
    struct sp_buf data = {0};
    struct sp_buf tensor = {0};
    struct sp_buf entry = {0};
    struct sp_buf payload = {0};
    struct sp_buf body = {0};
    static const uint8_t prefix[5];
    assert_int_equal(sp_buf_reserve(&data, TENSOR), SNAKEPIT_OK);
    memset(data.data, 7, TENSOR);
    data.size = TENSOR;
    assert_int_equal(sp_wire_add_text(&tensor, 1, "uint8"), SNAKEPIT_OK);
    assert_int_equal(sp_wire_add_varint(&tensor, 2, extent), SNAKEPIT_OK);
    add_bytes(&tensor, 3, &data);
    assert_int_equal(sp_wire_add_text(&entry, 1, "x"), SNAKEPIT_OK);
    add_bytes(&entry, 2, &tensor);
    add_bytes(&payload, 4, &entry);
    assert_int_equal(sp_buf_append(&body, prefix, sizeof prefix), SNAKEPIT_OK);
    assert_int_equal(sp_wire_add_text(&body, 2, "fault"), SNAKEPIT_OK);
    add_bytes(&body, 3, &payload);
    const size_t size = body.size - sizeof prefix;
    for (unsigned i = 0; i < 4; i++) {
        body.data[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    }
    sp_buf_fini(&data);
    sp_buf_fini(&tensor);
    sp_buf_fini(&entry);
    sp_buf_fini(&payload);
    return body;
}

// Request memory of the pool that is in use.
static uint64_t shared(void)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, NULL, &stats), SNAKEPIT_OK);
    return stats.shared_bytes;
}

static void begin(const char *path)
{
    fake_grpc_request(&fake, &server, path);
    fake_field(&fake, "content-type", "application/grpc");
    fake_handle_only(&fake);
}

// All but the last byte, in pieces of `step`.
static void receive_most(const struct sp_buf *body, size_t step)
{
    for (size_t at = 0; at < body->size - 1; at += step) {
        const size_t left = body->size - 1 - at;
        fake_receive(&fake,
                     (struct sp_slice){body->data + at, left < step ? left : step});
    }
}

static void receive_last(const struct sp_buf *body)
{
    fake_receive(&fake, (struct sp_slice){body->data + body->size - 1, 1});
    fake_complete(&fake);
}

static void await(const char *wanted)
{
    if (!fake.ended) {
        fake_daemon_run(&server, &fake.ended);
    }
    assert_non_null(strstr(fake.fields, wanted));
}

// It is in the pool's memory before the message is whole, and once.
static void a_large_tensor_goes_where_its_worker_finds_it(void **state)
{
    static const char *const paths[] = {CALL, STREAM};
    static const size_t steps[] = {1000, 8192, 16384, TENSOR};
    (void)state;
    struct sp_buf body = tensor_request(TENSOR);
    ask(CALL, (struct sp_slice){body.data, body.size}, REACHED);
    const uint64_t before = shared();
    for (size_t i = 0; i < 2 * sizeof steps / sizeof steps[0]; i++) {
        begin(paths[i % 2]);
        receive_most(&body, steps[i / 2]);
        assert_in_range(shared() - before, TENSOR, TENSOR + 4096);
        receive_last(&body);
        assert_in_range(shared() - before, TENSOR, TENSOR + 8192);
        await(REACHED);
        fake_free(&fake);
        assert_in_range(shared() - before, 0, 4096);
    }
    sp_buf_fini(&body);
}

static void a_client_that_goes_in_the_middle_gives_it_back(void **state)
{
    (void)state;
    struct sp_buf body = tensor_request(TENSOR);
    const uint64_t before = shared();
    begin(CALL);
    receive_most(&body, 16384);
    assert_true(shared() - before >= TENSOR);
    fake_leave(&fake);
    assert_int_equal(shared(), before);
    begin(CALL);
    receive_most(&body, 16384);
    fake_complete(&fake); // it ends a byte too early
    await("grpc-status: 13\n");
    assert_int_equal(shared(), before);
    sp_buf_fini(&body);
}

static void a_tensor_that_is_not_what_it_says_is_refused(void **state)
{
    (void)state;
    struct sp_buf body = tensor_request(TENSOR - 1);
    const uint64_t before = shared();
    ask(CALL, (struct sp_slice){body.data, body.size}, "grpc-status: 3\n");
    assert_non_null(strstr(fake.fields, "the tensor 'x' has not as many bytes"));
    assert_int_equal(shared(), before);
    sp_buf_fini(&body);
}

// What has come stays with the message then, and is copied when that is whole.
static void without_room_it_is_read_as_any_other(void **state)
{
    (void)state;
    snakepit_tensor half = {.dtype = SNAKEPIT_UINT8, .rank = 1};
    void *data = NULL;
    struct sp_buf body = tensor_request(TENSOR);
    half.shape[0] = 256 << 20; // of 512 MiB
    assert_int_equal(snakepit_tensor_new(pit, NULL, &half, &data, NULL), SNAKEPIT_OK);
    uint64_t before = shared();
    begin(CALL);
    receive_most(&body, 16384);
    assert_int_equal(shared(), before);
    receive_last(&body);
    await(REACHED);
    snakepit_tensor_free(pit, &half);
    // The budget of all messages counts it.
    struct sp_budget budget = {.most = TENSOR + 65536, .told = sp_clock_now()};
    server.loop.budget = &budget;
    before = shared();
    begin(CALL);
    receive_most(&body, 16384);
    assert_in_range(atomic_load(&budget.used), TENSOR, TENSOR + 65536);
    fake_leave(&fake);
    assert_true(atomic_load(&budget.used) <= 65536);
    budget.most = TENSOR / 2;
    begin(CALL);
    receive_most(&body, 16384);
    await("grpc-status: 14\n");
    server.loop.budget = NULL;
    sp_buf_fini(&body);
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    struct sp_buf body = tensor_request(TENSOR);
    bool failed = true;
    for (long nth = 1; failed; nth++) {
        begin(CALL);
        assert_int_equal(sp_buf_reserve(&fake.body, 1 << 16), SNAKEPIT_OK);
        sp_memory_fail_at(nth);
        receive_most(&body, 16384);
        receive_last(&body);
        failed = sp_memory_has_failed() != 0;
        sp_memory_fail_at(0);
        await("grpc-status: ");
        assert_int_equal(fake.replies, 1);
        assert_true(nth > 2 || failed);
    }
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    assert_true(shared() < TENSOR);
    sp_buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_large_is_read_as_what_is_small),
        test(a_large_tensor_goes_where_its_worker_finds_it),
        test(a_client_that_goes_in_the_middle_gives_it_back),
        test(a_tensor_that_is_not_what_it_says_is_refused),
        test(without_room_it_is_read_as_any_other),
        test(memory_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
