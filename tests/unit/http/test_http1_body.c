// SPDX-License-Identifier: MIT
// How much memory a body takes while it comes, and how slowly it may come.
#include "http/http1_body.h"

#include "http1_handler.h"

#include "../../support/doors.h"
#include "base/clock.h"

#define MIB  ((size_t)1 << 20)
#define MOST (64 * MIB)

static struct sp_http1_body body;
static struct sp_budget budget;
static struct sp_refusal refusal;

static int prepare(void **state)
{
    (void)state;
    snakepit_err err = fake_open(&sp_http1, handle);
    budget = (struct sp_budget){.most = 8 * MIB};
    body = (struct sp_http1_body){.most = 0};
    refusal = (struct sp_refusal){0, NULL};
    fake.loop.budget = &budget;
    fake.options.log = &doors_no_log;
    fake.config.body_min_rate = 500;
    return err != SNAKEPIT_OK;
}

static int clear(void **state)
{
    (void)state;
    sp_http1_body_forget(&body, &fake.connection, 0);
    fake_close();
    return atomic_load(&budget.used) != 0;
}

static void begin(uint64_t length, bool chunked)
{
    const struct sp_http1_head head = {.length = length, .chunked = chunked};
    sp_http1_body_begin(&body, &head, MOST, 0);
}

// What the connection has received is there `ms` after the beginning.
static enum sp_http1_body_is receive(size_t size, uint64_t ms)
{
    struct sp_buf *to = fake.connection.sink;
    if (to != NULL) {
        assert_true(size <= fake.connection.expected);
    } else {
        to = &fake.connection.in;
    }
    assert_true(size <= to->capacity - to->size);
    memset(to->data + to->size, 'x', size);
    to->size += size;
    return sp_http1_body_read(&body, &fake.connection, ms * SP_NS_PER_MS, &refusal);
}

static void a_body_has_memory_for_what_has_come_and_little_more(void **state)
{
    (void)state;
    begin(MOST, false);
    assert_int_equal(receive(10, 0), SP_HTTP1_BODY_IS_MORE);
    assert_true(body.block.bytes.capacity < MIB / 8);
    while (body.block.bytes.size < 3 * MIB) {
        const size_t expected = fake.connection.expected;
        assert_true(expected > 0);
        assert_int_equal(receive(expected, 0), SP_HTTP1_BODY_IS_MORE);
        assert_true(body.block.bytes.capacity <= 2 * body.block.bytes.size + MIB / 8);
    }
    assert_int_equal(atomic_load(&budget.used), body.block.bytes.capacity);
}

static void a_body_ends_at_its_length(void **state)
{
    (void)state;
    begin(100000, false);
    assert_int_equal(receive(10, 0), SP_HTTP1_BODY_IS_MORE);
    enum sp_http1_body_is is = SP_HTTP1_BODY_IS_MORE;
    while (is == SP_HTTP1_BODY_IS_MORE) {
        is = receive(fake.connection.expected, 0);
    }
    assert_int_equal(is, SP_HTTP1_BODY_IS_WHOLE);
    assert_int_equal(body.block.bytes.size, 100000);
    assert_int_equal(body.block.bytes.capacity, 100000);
}

static void where_the_budget_is_spent_it_is_refused(void **state)
{
    (void)state;
    enum sp_http1_body_is is = SP_HTTP1_BODY_IS_MORE;
    begin(MOST, false);
    is = receive(10, 0);
    while (is == SP_HTTP1_BODY_IS_MORE) {
        is = receive(fake.connection.expected, 0);
    }
    assert_int_equal(is, SP_HTTP1_BODY_IS_REFUSED);
    assert_int_equal(refusal.status, 503);
    assert_true(body.block.bytes.size > 3 * MIB);
    sp_http1_body_forget(&body, &fake.connection, 0);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void chunks_are_counted_as_well(void **state)
{
    (void)state;
    static const char size[] = "4000000\r\n"; // 64 MiB
    begin(0, true);
    memcpy(fake.connection.in.data, size, sizeof size - 1);
    fake.connection.in.size = sizeof size - 1;
    enum sp_http1_body_is is = receive(0, 0);
    assert_true(body.block.bytes.capacity < MIB / 8);
    while (is == SP_HTTP1_BODY_IS_MORE) {
        is = receive(fake.connection.expected, 0);
    }
    assert_int_equal(is, SP_HTTP1_BODY_IS_REFUSED);
    assert_int_equal(refusal.status, 503);
}

static void a_body_that_drips_is_refused(void **state)
{
    (void)state;
    begin(MIB, false);
    assert_int_equal(receive(10, 0), SP_HTTP1_BODY_IS_MORE);
    assert_int_equal(receive(1, 30000), SP_HTTP1_BODY_IS_MORE);
    assert_int_equal(receive(500, 31999), SP_HTTP1_BODY_IS_MORE);
    assert_int_equal(receive(1, 32000), SP_HTTP1_BODY_IS_REFUSED);
    assert_int_equal(refusal.status, 408);
    assert_string_equal(refusal.why, "the body comes slower than body_min_rate");
}

static void a_body_that_is_whole_was_fast_enough(void **state)
{
    (void)state;
    begin(11, false);
    assert_int_equal(receive(10, 0), SP_HTTP1_BODY_IS_MORE);
    assert_int_equal(receive(1, 86400000), SP_HTTP1_BODY_IS_WHOLE);
}

static bool refuse_it(struct sp_exchange *exchange)
{
    const struct sp_reply reply = {.status = 401};
    assert_int_equal(exchange->request.body.size, 0);
    sp_exchange_reply(exchange, &reply, (struct sp_slice){NULL, 0});
    return false;
}

static void a_body_that_is_not_wanted_is_not_read(void **state)
{
    (void)state;
    fake.options.admit = refuse_it;
    fake_sends("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
               "Content-Length: 90000\r\n\r\n");
    assert_non_null(strstr(fake.out, "HTTP/1.1 401 "));
    assert_non_null(strstr(fake.out, "Connection: close\r\n"));
    assert_null(strstr(fake.out, "100 Continue"));
    assert_true(fake_is_closed());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_has_memory_for_what_has_come_and_little_more),
        TEST(a_body_ends_at_its_length),
        TEST(where_the_budget_is_spent_it_is_refused),
        TEST(chunks_are_counted_as_well),
        TEST(a_body_that_drips_is_refused),
        TEST(a_body_that_is_whole_was_fast_enough),
        TEST(a_body_that_is_not_wanted_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
