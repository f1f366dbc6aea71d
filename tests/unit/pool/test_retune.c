// SPDX-License-Identifier: MIT
// A pool under other rules, without calls for good, and open again.
#include "pool/pool.h"

#include <string.h>

#include "support/pool_fixture.h"

static struct fixture fixture;

static int open_default(void **state)
{
    (void)state;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static snakepit_err submit(struct outcome *outcome)
{
    return fixture_submit(&fixture, "echo", "x", 0, outcome);
}

static void a_longer_line_takes_more_calls(void **state)
{
    (void)state;
    static struct outcome outcomes[4];
    struct sp_pool_options options = fixture_options();
    options.max_queue = 1;
    sp_pool_retune(fixture.pool, &options);
    assert_int_equal(submit(&outcomes[0]), SNAKEPIT_OK);
    assert_int_equal(submit(&outcomes[1]), SNAKEPIT_SATURATED);
    options.max_queue = 2;
    sp_pool_retune(fixture.pool, &options);
    assert_int_equal(submit(&outcomes[2]), SNAKEPIT_OK);
    // Who is in a line that is too long now stays there.
    options.max_queue = 0;
    sp_pool_retune(fixture.pool, &options);
    assert_int_equal(fixture_in_line(&fixture), 2);
    assert_int_equal(submit(&outcomes[3]), SNAKEPIT_SATURATED);
}

static void calls_from_then_on_have_other_limits(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct sp_pool_options options = fixture_options();
    assert_int_equal(submit(&outcomes[0]), SNAKEPIT_OK);
    options.call_timeout_ms = 1;
    sp_pool_retune(fixture.pool, &options);
    assert_int_equal(submit(&outcomes[1]), SNAKEPIT_OK);
    (void)fixture_tick(&fixture, 2000);
    fixture_drain(&fixture);
    assert_ended(&outcomes[1], SNAKEPIT_DEADLINE_EXCEEDED, "line");
    assert_int_equal(outcomes[0].ended, 0);
}

static void what_a_breaker_knew_is_forgotten_with_its_terms(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct sp_pool_options options = fixture_options();
    options.breaker =
        (struct sp_breaker_terms){.failures = 1,
                                  .window_ms = 60000,
                                  .open_ms = 60000,
                                  .on = SP_ERROR_BIT(SNAKEPIT_WORKER_DIED)};
    sp_pool_retune(fixture.pool, &options);
    struct side *side = fixture_add(&fixture, 1);
    struct fake_call call;
    assert_int_equal(submit(&outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &call));
    fixture_kill(&fixture, side, "killed");
    fixture_drain(&fixture);
    assert_int_equal(outcome.err, SNAKEPIT_WORKER_DIED);
    assert_int_equal(submit(&outcome), SNAKEPIT_BREAKER_OPEN);
    sp_pool_retune(fixture.pool, &options); // the same
    assert_int_equal(submit(&outcome), SNAKEPIT_BREAKER_OPEN);
    options.breaker.open_ms = 1;
    sp_pool_retune(fixture.pool, &options);
    assert_int_equal(submit(&outcome), SNAKEPIT_OK);
}

static void a_pool_that_is_removed_ends_its_calls_in_peace_or_says_so(void **state)
{
    (void)state;
    static struct outcome outcomes[3];
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(submit(&outcomes[0]), SNAKEPIT_OK);
    assert_int_equal(submit(&outcomes[1]), SNAKEPIT_OK);
    sp_pool_begin_removal(fixture.pool);
    assert_int_equal(submit(&outcomes[2]), SNAKEPIT_POOL_REMOVED);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[0], "x");
    sp_pool_end_all(fixture.pool);
    fixture_drain(&fixture);
    assert_int_equal(outcomes[1].err, SNAKEPIT_POOL_REMOVED);
}

static void its_calls_go_on_elsewhere_when_their_worker_dies(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    struct side *first = fixture_add(&fixture, 1);
    assert_int_equal(submit(&outcomes[0]), SNAKEPIT_OK);
    assert_int_equal(submit(&outcomes[1]), SNAKEPIT_OK);
    struct side *second = fixture_add(&fixture, 1);
    sp_pool_begin_removal(fixture.pool);
    fixture_kill(&fixture, first, "gone");
    while (fixture_serve_one(&fixture, second)) {
    }
    assert_echoed(&outcomes[0], "x");
    assert_echoed(&outcomes[1], "x");
}

static void it_may_be_opened_again(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct sp_pool_options options = fixture_options();
    sp_pool_begin_removal(fixture.pool);
    assert_true(sp_pool_could_be(fixture.pool, &options));
    sp_pool_reopen(fixture.pool, &options);
    assert_int_equal(submit(&outcome), SNAKEPIT_OK);
    struct side *side = fixture_add(&fixture, 1);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcome, "x");
    options.affinity = SP_AFFINITY_STRICT_QUEUE;
    assert_false(sp_pool_could_be(fixture.pool, &options));
    options = fixture_options();
    options.shared_memory_size *= 2;
    assert_false(sp_pool_could_be(fixture.pool, &options));
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_longer_line_takes_more_calls),
        test(calls_from_then_on_have_other_limits),
        test(what_a_breaker_knew_is_forgotten_with_its_terms),
        test(a_pool_that_is_removed_ends_its_calls_in_peace_or_says_so),
        test(its_calls_go_on_elsewhere_when_their_worker_dies),
        test(it_may_be_opened_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
