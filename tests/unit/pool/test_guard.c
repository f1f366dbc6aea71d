// SPDX-License-Identifier: MIT
// Calls of tools that keep failing. The breaker's clock is the real one here; its rules
// are tested without one in test_breaker.c.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define OPEN_MS 30u

static struct fixture fixture;
static struct outcome outcomes[6];

static struct sp_pool_options guarded(uint32_t open_ms)
{
    struct sp_pool_options options = fixture_options();
    options.breaker = (struct sp_breaker_terms){
        .failures = 2,
        .window_ms = 60000,
        .open_ms = open_ms,
        .on = SP_ERROR_BIT(SNAKEPIT_WORKER_DIED) |
              SP_ERROR_BIT(SNAKEPIT_DEADLINE_EXCEEDED),
    };
    return options;
}

static int open_with(const struct sp_pool_options *options)
{
    fixture_open(&fixture, options);
    memset(outcomes, 0, sizeof outcomes);
    return 0;
}

static int open_guarded(void **state)
{
    (void)state;
    const struct sp_pool_options options = guarded(60000);
    return open_with(&options);
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void reopen(const struct sp_pool_options *options)
{
    fixture_close(&fixture);
    (void)open_with(options);
}

static snakepit_err submit(const char *tool, struct outcome *outcome)
{
    return fixture_submit(&fixture, tool, "x", 0, outcome);
}

// A worker dies with so many calls of a tool.
static void die_with(const char *tool, uint32_t count)
{
    struct fake_call call;
    struct side *side = fixture_add(&fixture, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(submit(tool, &outcomes[i]), SNAKEPIT_OK);
        assert_true(fake_take_started(side->fake, &call));
    }
    fixture_kill(&fixture, side, "killed by the test");
    fixture_drain(&fixture);
    for (uint32_t i = 0; i < count; i++) {
        assert_ended(&outcomes[i], SNAKEPIT_WORKER_DIED, "running");
    }
}

static void await_the_probe(void)
{
    uint64_t at = sp_clock_now() + OPEN_MS * SP_NS_PER_MS;
    FIXTURE_AWAIT(sp_clock_now() > at);
}

static void a_tool_that_kills_workers_gets_no_more_calls(void **state)
{
    (void)state;
    die_with("echo", 2);
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_BREAKER_OPEN);
    assert_int_equal(outcomes[0].ended, 0);
    assert_int_equal(submit("other", &outcomes[1]), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(fixture.pool->counters.ended[SNAKEPIT_BREAKER_OPEN], 1);
    struct sp_pool_view view;
    sp_pool_look(fixture.pool, &view, NULL);
    assert_int_equal(view.breakers, 1);
}

static void its_callers_are_told_when_to_come_back(void **state)
{
    (void)state;
    struct caller caller;
    die_with("echo", 2);
    (void)fixture_add(&fixture, 1);
    fixture_call(&caller, &fixture, "echo", "x", 0);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_BREAKER_OPEN, "line");
    assert_in_range(caller.outcome.retry_after_ms, 1, 60000);
}

static void calls_that_wait_in_line_do_not_run_either(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(submit(i == 4 ? "hold" : "echo", &outcomes[i]), SNAKEPIT_OK);
    }
    assert_true(fake_take_started(side->fake, &call));
    assert_true(fake_take_started(side->fake, &call));
    assert_int_equal(fixture_in_line(&fixture), 3);
    fixture_kill(&fixture, side, "killed by the test");
    side = fixture_add(&fixture, 1);
    fixture_drain(&fixture);
    assert_ended(&outcomes[2], SNAKEPIT_BREAKER_OPEN, "line");
    assert_ended(&outcomes[3], SNAKEPIT_BREAKER_OPEN, "line");
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[4], "x");
}

static void one_call_is_let_through_and_closes_it(void **state)
{
    (void)state;
    const struct sp_pool_options options = guarded(OPEN_MS);
    reopen(&options);
    die_with("echo", 2);
    struct side *side = fixture_add(&fixture, 1);
    await_the_probe();
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_OK);
    assert_int_equal(submit("echo", &outcomes[1]), SNAKEPIT_BREAKER_OPEN);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[0], "x");
    assert_int_equal(submit("echo", &outcomes[1]), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(fixture.pool->breakers.tripped, 0);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    (void)state;
    const struct sp_pool_options options = guarded(OPEN_MS);
    reopen(&options);
    die_with("echo", 2);
    await_the_probe();
    die_with("echo", 1);
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_BREAKER_OPEN);
}

static void a_probe_that_is_cancelled_is_followed_by_another(void **state)
{
    (void)state;
    const struct sp_pool_options options = guarded(OPEN_MS);
    reopen(&options);
    die_with("echo", 2);
    await_the_probe();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_OK);
        assert_int_equal(submit("echo", &outcomes[1]), SNAKEPIT_BREAKER_OPEN);
        assert_int_equal(sp_pool_cancel(fixture.pool, outcomes[0].id), SNAKEPIT_OK);
        fixture_drain(&fixture);
    }
}

static void a_probe_that_is_refused_is_followed_by_another(void **state)
{
    (void)state;
    struct sp_pool_options options = guarded(OPEN_MS);
    options.max_queue = 0;
    reopen(&options);
    die_with("echo", 2);
    await_the_probe();
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_SATURATED);
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(fixture.pool->breakers.tripped, 0);
}

static void a_tool_that_raises_is_well(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(submit("fault", &outcomes[0]), SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
        assert_ended(&outcomes[0], SNAKEPIT_TOOL_FAILED, "running");
    }
    fixture_kill(&fixture, side, "over");
    struct sp_pool_options options = guarded(60000);
    options.breaker.on = SP_ERROR_BIT(SNAKEPIT_TOOL_FAILED);
    reopen(&options);
    side = fixture_add(&fixture, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit("fault", &outcomes[0]), SNAKEPIT_OK);
        assert_true(fixture_serve_one(&fixture, side));
    }
    assert_int_equal(submit("fault", &outcomes[0]), SNAKEPIT_BREAKER_OPEN);
}

static void time_that_is_up_counts_only_while_it_runs(void **state)
{
    (void)state;
    struct fake_call call;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_submit(&fixture, "never", "x", 10, &outcomes[0]),
                         SNAKEPIT_OK);
        (void)fixture_tick(&fixture, 20);
        fixture.ahead_ns = 0;
        assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    }
    struct side *side = fixture_add(&fixture, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_submit(&fixture, "never", "x", 10, &outcomes[0]),
                         SNAKEPIT_OK);
        assert_true(fake_take_started(side->fake, &call));
        (void)fixture_tick(&fixture, 20);
        fixture.ahead_ns = 0;
        assert_ended(&outcomes[0], SNAKEPIT_DEADLINE_EXCEEDED, "running");
    }
    assert_int_equal(submit("never", &outcomes[0]), SNAKEPIT_BREAKER_OPEN);
}

// Two failures of one call are two: the second opens it, and there is not a third.
static void it_stops_attempts_as_well(void **state)
{
    (void)state;
    struct fake_call call;
    struct sp_pool_options options = guarded(60000);
    options.retry = (struct sp_retry_terms){
        .max_attempts = 5, .max_tokens = 100, .on = SP_ERROR_BIT(SNAKEPIT_WORKER_DIED)};
    reopen(&options);
    fixture.idempotent = true;
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_OK);
    for (int i = 0; i < 2; i++) {
        struct side *side = fixture_add(&fixture, 1);
        (void)fixture_tick(&fixture, 10);
        assert_true(fake_take_started(side->fake, &call));
        fixture_kill(&fixture, side, "killed by the test");
        fixture_drain(&fixture);
    }
    assert_ended(&outcomes[0], SNAKEPIT_WORKER_DIED, "running");
    assert_int_equal(outcomes[0].attempts, 2);
    assert_int_equal(submit("echo", &outcomes[0]), SNAKEPIT_BREAKER_OPEN);
}

static void note_row(void *user, size_t index, const struct sp_breaker_row *row)
{
    struct sp_breaker_row *rows = user;
    rows[index] = *row;
}

static void each_breaker_can_be_seen(void **state)
{
    (void)state;
    struct sp_breaker_row rows[2];
    assert_int_equal(sp_pool_breakers(fixture.pool, note_row, rows), 0);
    die_with("echo", 2);
    die_with("hold", 1);
    assert_int_equal(sp_pool_breakers(fixture.pool, note_row, rows), 2);
    assert_string_equal(rows[0].tool, "echo");
    assert_int_equal(rows[0].state, SP_BREAKER_OPEN);
    assert_in_range(rows[0].retry_after_ms, 1, 60000);
    assert_string_equal(rows[1].tool, "hold");
    assert_int_equal(rows[1].state, SP_BREAKER_CLOSED);
    assert_int_equal(rows[1].failures, 1);
    assert_int_equal(rows[1].retry_after_ms, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_guarded, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_tool_that_kills_workers_gets_no_more_calls),
        test(its_callers_are_told_when_to_come_back),
        test(calls_that_wait_in_line_do_not_run_either),
        test(one_call_is_let_through_and_closes_it),
        test(a_probe_that_fails_opens_it_again),
        test(a_probe_that_is_cancelled_is_followed_by_another),
        test(a_probe_that_is_refused_is_followed_by_another),
        test(a_tool_that_raises_is_well),
        test(time_that_is_up_counts_only_while_it_runs),
        test(it_stops_attempts_as_well),
        test(each_breaker_can_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
