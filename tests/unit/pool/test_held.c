// SPDX-License-Identifier: MIT
// Calls that a worker was given in advance, behind one that does not end.
#include "pool/held.h"

#include <string.h>

#include "support/pool_fixture.h"

static struct fixture fixture;
static struct outcome outcomes[3];

static void open_pool(bool elastic)
{
    struct sp_pool_options options = fixture_options();
    options.prefetch = 2;
    options.elastic = elastic;
    fixture_open(&fixture, &options);
    memset(outcomes, 0, sizeof outcomes);
}

static int open_elastic(void **state)
{
    (void)state;
    open_pool(true);
    return 0;
}

static int open_fixed(void **state)
{
    (void)state;
    open_pool(false);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void submit(int count)
{
    static int next;
    for (int i = 0; i < count; i++) {
        struct outcome *outcome = &outcomes[next++ % 3];
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, outcome),
                         SNAKEPIT_OK);
    }
}

static uint32_t held(void)
{
    struct sp_pool_view view;
    sp_pool_look(fixture.pool, &view, NULL);
    return view.held;
}

static void serve_all(struct side *side)
{
    while (fixture_serve_one(&fixture, side)) {
    }
}

static void who_is_next_at_two_ticks_is_held_up(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit(3);
    assert_int_equal(side->seat->load, 3);
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 0); // it may have come just now
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 2);
    serve_all(side);
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 0);
}

static void whose_turn_comes_is_not(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit(3);
    fixture_tick(&fixture, 10);
    assert_true(fixture_serve_one(&fixture, side));
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 0);
    serve_all(side);
}

static void what_is_in_the_line_or_runs_is_not(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 3);
    submit(3);
    fixture_tick(&fixture, 10);
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 0);
    serve_all(side);
}

// Its caller waits in the slot, so nothing else would have the tick look.
static void the_first_one_wakes_the_loop_once(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit(1);
    assert_int_equal(fixture.attention, 1); // as for each first one
    submit(2);
    assert_int_equal(fixture.attention, 2);
    assert_true(fixture_tick(&fixture, 10));
    serve_all(side);
}

static void a_pool_of_one_size_does_not_look(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit(3);
    assert_int_equal(fixture.attention, 1);
    fixture_tick(&fixture, 10);
    fixture_tick(&fixture, 10);
    assert_int_equal(held(), 0);
    serve_all(side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            who_is_next_at_two_ticks_is_held_up, open_elastic, close_fixture),
        cmocka_unit_test_setup_teardown(
            whose_turn_comes_is_not, open_elastic, close_fixture),
        cmocka_unit_test_setup_teardown(
            what_is_in_the_line_or_runs_is_not, open_elastic, close_fixture),
        cmocka_unit_test_setup_teardown(
            the_first_one_wakes_the_loop_once, open_elastic, close_fixture),
        cmocka_unit_test_setup_teardown(
            a_pool_of_one_size_does_not_look, open_fixed, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
