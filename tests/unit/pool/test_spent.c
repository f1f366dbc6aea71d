// SPDX-License-Identifier: MIT
// A worker is given as many calls as it may be given: exactly.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define MANY 6

static struct fixture fixture;
static struct outcome outcomes[MANY];

static int open_with_prefetch(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.prefetch = 2;
    options.affinity = SP_AFFINITY_STRICT_QUEUE;
    fixture_open(&fixture, &options);
    memset(outcomes, 0, sizeof outcomes);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void submit_all(void)
{
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
}

static int ended(void)
{
    int count = 0;
    for (int i = 0; i < MANY; i++) {
        count += outcomes[i].ended;
    }
    return count;
}

static void it_gets_that_many_and_not_one_more(void **state)
{
    (void)state;
    fixture.requests = 3;
    struct side *side = fixture_add(&fixture, 2);
    submit_all();
    assert_int_equal(side->seat->load, 3);
    while (fixture_serve_one(&fixture, side)) {
        fixture_tick(&fixture, 10);
    }
    assert_int_equal(ended(), 3);
    assert_int_equal(fixture_in_line(&fixture), 3);
    assert_int_equal(side->spent, 1);
    // The others are its successor's.
    struct side *successor = fixture_add(&fixture, 2);
    while (fixture_serve_one(&fixture, successor)) {
    }
    assert_int_equal(ended(), MANY);
    fixture_tick(&fixture, 10);
    assert_int_equal(side->spent, 1);
    assert_int_equal(successor->spent, 1);
}

// Nothing else would wake it: the caller waits for the answer itself.
static void the_loop_is_woken_by_the_last_one(void **state)
{
    (void)state;
    struct caller caller;
    fixture.requests = 1;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture.attention, 0);
    fixture_call(&caller, &fixture, "echo", "a", 0);
    FIXTURE_AWAIT(fixture_serve_one(&fixture, side));
    fixture_join(&caller);
    assert_int_equal(fixture.attention, 1);
    assert_false(side->seat->open);
}

// A pool that closes gets no other worker.
static void what_waits_at_a_close_is_done_by_who_is_there(void **state)
{
    (void)state;
    fixture.requests = 4;
    struct side *side = fixture_add(&fixture, 1);
    submit_all();
    sp_pool_begin_close(fixture.pool);
    while (fixture_serve_one(&fixture, side)) {
        fixture_tick(&fixture, 10);
    }
    assert_int_equal(ended(), MANY);
    assert_int_equal(side->spent, 0);
}

// Nor one that was given all its calls before: then it goes on, as soon as nobody else
// takes calls.
static void one_that_is_spent_serves_on_where_a_pool_closes(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        fixture.requests = 1;
        struct side *side = fixture_add(&fixture, 1);
        submit_all();
        if (told == 1) {
            (void)fixture_tick(&fixture, 10);
        }
        assert_int_equal(fixture_in_line(&fixture), MANY - 1);
        sp_pool_begin_close(fixture.pool);
        while (fixture_serve_one(&fixture, side)) {
            (void)fixture_tick(&fixture, 10);
        }
        assert_int_equal(ended(), MANY);
        assert_int_equal(fixture_failed(&fixture), 0);
        assert_int_equal(side->spent, told);
        (void)close_fixture(state);
        (void)open_with_prefetch(state);
    }
}

static void one_that_is_spent_goes_on_when_the_last_other_one_dies(void **state)
{
    (void)state;
    fixture.requests = 1;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[0]),
                     SNAKEPIT_OK);
    fixture.requests = 0;
    struct side *other = fixture_add(&fixture, 1);
    for (int i = 1; i < MANY; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    sp_pool_begin_close(fixture.pool);
    assert_false(side->seat->open);
    fixture_kill(&fixture, other, "it is the other one");
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(ended(), MANY);
    assert_int_equal(fixture_failed(&fixture), 0);
}

// An idle worker takes what waits behind another call elsewhere, but not of one that
// will be given no other call for it.
static void what_it_has_is_not_moved(void **state)
{
    (void)state;
    fixture.requests = 3;
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    fixture.requests = 0;
    struct side *idle = fixture_add(&fixture, 1);
    fixture_tick(&fixture, 10);
    assert_int_equal(side->seat->load, 3);
    assert_int_equal(idle->seat->load, 0);
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(ended(), 3);
}

static void a_call_that_moved_away_did_not_count(void **state)
{
    (void)state;
    fixture.requests = 4;
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(side->seat->left == 1);
    struct side *idle = fixture_add(&fixture, 1);
    assert_int_equal(idle->seat->load, 1);
    assert_true(side->seat->left == 2);
    while (fixture_serve_one(&fixture, side) || fixture_serve_one(&fixture, idle)) {
    }
    assert_int_equal(ended(), 3);
}

static void a_session_that_is_tied_to_it_is_lost_once(void **state)
{
    (void)state;
    fixture.requests = 1;
    struct side *side = fixture_add(&fixture, 1);
    fixture.session = "s";
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[0]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_submit(&fixture, "echo", "b", 0, &outcomes[1]),
                     SNAKEPIT_SESSION_LOST);
    assert_int_equal(fixture_submit(&fixture, "echo", "c", 0, &outcomes[2]),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
    assert_echoed(&outcomes[0], "a"); // never in the middle of a call
    struct side *successor = fixture_add(&fixture, 1);
    assert_true(fixture_serve_one(&fixture, successor));
    assert_echoed(&outcomes[2], "c");
}

// The fifth call waits for the worker, which was given all its calls meanwhile. The
// sixth comes before the loop has looked.
static void calls_that_wait_for_it_are_told_with_those_that_come(void **state)
{
    (void)state;
    struct outcome next;
    fixture.requests = 4;
    struct side *side = fixture_add(&fixture, 1);
    fixture.session = "s";
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_true(fixture_serve_one(&fixture, side));
    assert_false(side->seat->open);
    assert_int_equal(fixture_submit(&fixture, "echo", "b", 0, &outcomes[5]),
                     SNAKEPIT_OK);
    assert_int_equal(fixture_in_line(&fixture), 2);
    struct side *successor = fixture_add(&fixture, 1);
    assert_int_equal(fixture_in_line(&fixture), 2);
    (void)fixture_tick(&fixture, 10);
    for (int i = 4; i < MANY; i++) {
        assert_ended(&outcomes[i], SNAKEPIT_SESSION_LOST, "line");
    }
    assert_int_equal(fixture_submit(&fixture, "echo", "c", 0, &next), SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, successor));
    assert_echoed(&next, "c");
    while (fixture_serve_one(&fixture, side)) {
    }
    assert_int_equal(ended(), MANY);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, open_with_prefetch, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(it_gets_that_many_and_not_one_more),
        TEST(the_loop_is_woken_by_the_last_one),
        TEST(what_waits_at_a_close_is_done_by_who_is_there),
        TEST(one_that_is_spent_serves_on_where_a_pool_closes),
        TEST(one_that_is_spent_goes_on_when_the_last_other_one_dies),
        TEST(what_it_has_is_not_moved),
        TEST(a_call_that_moved_away_did_not_count),
        TEST(a_session_that_is_tied_to_it_is_lost_once),
        TEST(calls_that_wait_for_it_are_told_with_those_that_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
