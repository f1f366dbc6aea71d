// SPDX-License-Identifier: MIT
// Health checks of workers: calls of the pool's own.
#include "pool/check.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define TIMEOUT 60000u // of which a busy machine takes little

static struct fixture fixture;
static struct side *side;

static int open_with_a_worker(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 2;
    fixture_open(&fixture, &options);
    side = fixture_add(&fixture, 1);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static snakepit_err begin(const char *tool)
{
    return sp_pool_check_seat(fixture.pool, side->seat, tool, TIMEOUT);
}

static void its_end_is_reported_once_and_counts_as_no_call(void **state)
{
    (void)state;
    uint32_t before = fixture.attention;
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_int_equal(fixture.attention, before + 1);
    assert_int_equal(side->seat->load, 1);
    assert_true(fixture_tick(&fixture, 10));
    assert_int_equal(side->checks, 0);
    assert_true(fixture_serve_one(&fixture, side));
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(side->checks, 1);
    assert_int_equal(side->checked, SNAKEPIT_OK);
    assert_false(fixture_tick(&fixture, 10));
    assert_int_equal(side->checks, 1);
    assert_int_equal(side->seat->load, 0);
    assert_int_equal(fixture_ended(&fixture), 0);
    assert_int_equal(fixture_placed(&fixture), 0);
    assert_int_equal(fixture.pool->ran_average, 0);
}

static void there_is_one_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_int_equal(begin("echo"), SNAKEPIT_WORKER_BUSY);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(begin("echo"), SNAKEPIT_WORKER_BUSY);
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(side->checks, 2);
}

// A worker that runs long calls is not sick.
static void its_time_begins_when_it_runs(void **state)
{
    (void)state;
    struct fake_call long_call;
    struct fake_call check;
    struct outcome outcome = {0};
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &long_call));
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_true(fixture_tick(&fixture, 100 * TIMEOUT));
    assert_int_equal(side->checks, 0);
    fake_serve(side->fake, &long_call);
    assert_true(fake_take_started(side->fake, &check));
    assert_true(fixture_tick(&fixture, 10 * TIMEOUT));
    assert_true(fixture_tick(&fixture, TIMEOUT / 2));
    assert_int_equal(side->checks, 0);
    assert_true(fixture_tick(&fixture, TIMEOUT));
    assert_int_equal(side->checks, 1);
    assert_int_equal(side->checked, SNAKEPIT_DEADLINE_EXCEEDED);
    // It goes on as any call that was given up.
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(side->cancels, 1);
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    fake_serve(side->fake, &check);
    assert_true(fixture_serve_one(&fixture, side));
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(side->checked, SNAKEPIT_OK);
    assert_int_equal(side->kills, 0);
    // No call of the program was stopped.
    for (int i = 0; i < SP_STOPS; i++) {
        assert_int_equal(fixture.pool->counters.stopped[i], 0);
    }
    assert_int_equal(fixture.pool->counters.stop_max_us, 0);
}

static void it_stays_where_it_is(void **state)
{
    (void)state;
    struct fake_call call;
    struct outcome outcome = {0};
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    // An idle worker takes nothing of it.
    struct side *idle = fixture_add(&fixture, 1);
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(idle->seat->load, 0);
    // One that leaves does not send it back to the line.
    sp_pool_empty_seat(fixture.pool, side->seat);
    assert_int_equal(fixture_in_line(&fixture), 0);
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(side->checks, 1);
    assert_int_equal(side->checked, SNAKEPIT_WORKER_LOST);
    assert_int_equal(begin("echo"), SNAKEPIT_WORKER_BUSY);
    fake_serve(side->fake, &call);
    (void)fixture_tick(&fixture, 10);
    assert_echoed(&outcome, "a");
}

// Whether a check was running when it died.
static bool die(void)
{
    const struct sp_failure failure = {.err = SNAKEPIT_WORKER_DIED, .cause = "a test"};
    fake_stop(side->fake);
    sp_pool_seat_died(fixture.pool, side->seat, &failure);
    bool in_check = sp_pool_seat_died_in_check(fixture.pool, side->seat);
    sp_pool_remove_seat(fixture.pool, side->seat);
    side->seat = NULL;
    return in_check;
}

static void it_ends_with_its_worker(void **state)
{
    (void)state;
    struct fake_call call;
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    assert_true(die());
    assert_int_equal(side->checks, 0);
    assert_int_equal(fixture_placed(&fixture), 0);
    assert_int_equal(fixture.pool->counters.workers[SP_COUNTED_FAILED_CHECKS], 1);
}

static void one_that_is_late_may_end_its_worker(void **state)
{
    (void)state;
    struct fake_call call;
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    (void)fixture_tick(&fixture, 10);
    (void)fixture_tick(&fixture, 2 * TIMEOUT);
    assert_int_equal(side->checked, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_true(die());
    // Its end was reported, and whoever heard of it counts it.
    assert_int_equal(fixture.pool->counters.workers[SP_COUNTED_FAILED_CHECKS], 0);
}

static void one_that_has_not_begun_ends_nobody(void **state)
{
    (void)state;
    struct fake_call call;
    static struct outcome outcome;
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_false(die());
    (void)fixture_tick(&fixture, 10);
    assert_int_equal(outcome.err, SNAKEPIT_WORKER_DIED);
    assert_int_equal(fixture.pool->counters.workers[SP_COUNTED_FAILED_CHECKS], 0);
}

static void a_pool_that_closes_does_not_wait_for_it(void **state)
{
    (void)state;
    struct fake_call call;
    assert_int_equal(begin("echo"), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    sp_pool_begin_close(fixture.pool);
    assert_true(sp_pool_is_busy(fixture.pool));
    (void)fixture_tick(&fixture, 10);
    assert_false(sp_pool_is_busy(fixture.pool));
    assert_int_equal(side->checked, SNAKEPIT_SHUTTING_DOWN);
    assert_int_equal(begin("echo"), SNAKEPIT_WORKER_BUSY);
    fake_serve(side->fake, &call);
    (void)fixture_tick(&fixture, 10);
}

static void it_uses_up_nothing_that_a_worker_may_be_given(void **state)
{
    (void)state;
    fixture.requests = 1;
    side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(begin("echo"), SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        (void)fixture_tick(&fixture, 10);
    }
    assert_int_equal(side->checks, 3);
    assert_int_equal(side->spent, 0);
}

// It says how this worker is, so no other one may answer it, whatever the call before
// was that used its memory; nor does it say anything of a tool.
static void it_is_neither_tried_again_nor_counted_by_a_breaker(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct sp_pool_options options = fixture_options();
    options.retry =
        (struct sp_retry_terms){.max_attempts = 3, .max_tokens = 10, .on = UINT32_MAX};
    options.breaker = (struct sp_breaker_terms){
        .failures = 4, .window_ms = 60000, .open_ms = 60000, .on = UINT32_MAX & ~1u};
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
    side = fixture_add(&fixture, 1);
    fixture.idempotent = true;
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcome), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(begin("fault"), SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        (void)fixture_tick(&fixture, 10);
        assert_int_equal(side->checks, i + 1);
        assert_int_equal(side->checked, SNAKEPIT_TOOL_FAILED);
    }
    assert_int_equal(fixture.pool->counters.retries, 0);
    assert_int_equal(fixture.pool->breakers.names.count, 0);
}

#define test(name) \
    cmocka_unit_test_setup_teardown(name, open_with_a_worker, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(its_end_is_reported_once_and_counts_as_no_call),
        test(there_is_one_at_a_time),
        test(its_time_begins_when_it_runs),
        test(it_stays_where_it_is),
        test(it_ends_with_its_worker),
        test(one_that_is_late_may_end_its_worker),
        test(one_that_has_not_begun_ends_nobody),
        test(a_pool_that_closes_does_not_wait_for_it),
        test(it_uses_up_nothing_that_a_worker_may_be_given),
        test(it_is_neither_tried_again_nor_counted_by_a_breaker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
