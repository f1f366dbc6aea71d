// SPDX-License-Identifier: MIT
// Calls of a tool that takes many at once: how many of them a worker is given, and what
// becomes of those that are given up in the middle of a batch.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
#include "support/pool_fixture.h"

#define GRACE_MS 100000u // more than a busy machine adds to the test's own clock
#define MANY     8

static struct fixture fixture;
static struct outcome outcomes[MANY];

// "echo" takes three calls at once, "hold" two.
static const uint8_t batch_tools[] = "\x04"
                                     "echo\x03\0\0\0"
                                     "\x04"
                                     "hold\x02\0\0\0";

static int open_with(uint32_t prefetch)
{
    struct sp_pool_options options = fixture_options();
    options.prefetch = prefetch;
    options.cancel_grace_ms = GRACE_MS;
    options.affinity = SP_AFFINITY_STRICT_QUEUE;
    fixture_open(&fixture, &options);
    fixture.batch_tools = (struct sp_slice){batch_tools, sizeof batch_tools - 1};
    memset(outcomes, 0, sizeof outcomes);
    return 0;
}

static int open_pool(void **state)
{
    (void)state;
    return open_with(0);
}

static int open_with_prefetch(void **state)
{
    (void)state;
    return open_with(UINT32_MAX);
}

static int close_pool(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void submit(const char *tool, struct outcome *outcome)
{
    assert_int_equal(fixture_submit(&fixture, tool, "a", 0, outcome), SNAKEPIT_OK);
}

static void submit_many(const char *tool, int count)
{
    for (int i = 0; i < count; i++) {
        submit(tool, &outcomes[i]);
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

static void serve_all(struct side *side)
{
    while (fixture_serve_one(&fixture, side)) {
    }
}

// ---- Room ---------------------------------------------------------------------

static void a_worker_is_given_as_many_as_its_executors_take_at_once(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 5);
    assert_int_equal(side->seat->load, 3);
    assert_int_equal(fixture_in_line(&fixture), 2);
    serve_all(side);
    assert_int_equal(ended(), 5);
    assert_int_equal(side->seat->load, 0);
}

static void with_prefetch_the_next_batch_is_there_already(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("hold", 5);
    assert_int_equal(side->seat->load, 4);
    assert_int_equal(fixture_in_line(&fixture), 1);
    serve_all(side);
    assert_int_equal(ended(), 5);
}

static void each_executor_counts(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 2);
    submit_many("echo", 7);
    assert_int_equal(side->seat->load, 6);
    serve_all(side);
}

static void there_are_never_more_than_slots(void **state)
{
    (void)state;
    fixture.batch_tools = (struct sp_slice){0};
    struct side *side = fixture_add(&fixture, 4);
    submit_many("echo", MANY);
    assert_int_equal(side->seat->load, 4); // of a worker without such a tool
    serve_all(side);
    fixture.batch_tools = (struct sp_slice){batch_tools, sizeof batch_tools - 1};
    fixture_kill(&fixture, side, "killed by the test");
    side = fixture_add(&fixture, 4);
    submit_many("echo", MANY);
    assert_int_equal(side->seat->load, FIXTURE_SLOTS);
    serve_all(side);
}

static void other_tools_have_no_such_room(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("large", 3);
    assert_int_equal(side->seat->load, 1);
    assert_int_equal(fixture_in_line(&fixture), 2);
    serve_all(side);
    assert_int_equal(ended(), 3);
}

static void nobody_overtakes_who_waits_for_an_executor(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit("echo", &outcomes[0]);
    submit("large", &outcomes[1]);
    submit("echo", &outcomes[2]);
    submit("echo", &outcomes[3]);
    assert_int_equal(side->seat->load, 1);
    assert_int_equal(fixture_in_line(&fixture), 3);
    assert_true(fixture_serve_one(&fixture, side));
    // It runs, and what came after it joins nobody.
    assert_int_equal(side->seat->load, 3);
    assert_true(fixture_serve_one(&fixture, side));
    assert_int_equal(outcomes[1].ended, 1);
    serve_all(side);
    assert_int_equal(ended(), 4);
}

static void a_session_has_its_calls_run_one_by_one(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    fixture.session = "s";
    submit_many("echo", 2);
    assert_int_equal(side->seat->load, 1);
    // Its second call waits for the worker, so that nobody else may join there.
    fixture.session = NULL;
    submit("echo", &outcomes[2]);
    assert_int_equal(side->seat->load, 1);
    serve_all(side);
    assert_int_equal(ended(), 3);
}

static void a_worker_gets_not_one_more_than_it_may_be_given(void **state)
{
    (void)state;
    fixture.requests = 2;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 3);
    assert_int_equal(side->seat->load, 2);
    serve_all(side);
    assert_int_equal(ended(), 2);
    fixture_tick(&fixture, 10);
    assert_int_equal(side->spent, 1);
}

static void what_waits_for_a_batch_moves_to_an_idle_worker(void **state)
{
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 3);
    struct side *idle = fixture_add(&fixture, 1);
    assert_int_equal(side->seat->load, 2);
    assert_int_equal(idle->seat->load, 1);
    serve_all(side);
    serve_all(idle);
    assert_int_equal(ended(), 3);
}

// ---- Given up -----------------------------------------------------------------

// All calls of a side run as one, by executor `executor`.
static int take_all(struct side *side, struct fake_call calls[MANY], uint32_t executor)
{
    int count = 0;
    while (fake_take_started(side->fake, &calls[count])) {
        side->port->view.slots[calls[count].slot].result.executor = (uint16_t)executor;
        count++;
    }
    return count;
}

static void cancel(struct outcome *outcome)
{
    assert_int_equal(sp_pool_cancel(fixture.pool, outcome->id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_ended(outcome, SNAKEPIT_CANCELLED, "running");
}

static void wait_for_the_grace(void)
{
    fixture_tick(&fixture, 10);
    fixture_tick(&fixture, 2 * GRACE_MS);
}

static void one_that_is_given_up_is_not_stuck_while_others_want_the_batch(void **state)
{
    (void)state;
    struct fake_call calls[MANY];
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 2);
    assert_int_equal(take_all(side, calls, 3), 2);
    cancel(&outcomes[0]);
    wait_for_the_grace();
    wait_for_the_grace();
    assert_int_equal(side->cancels, 1);
    assert_int_equal(side->stuck, 0);
    // Its time begins when nobody does any more.
    cancel(&outcomes[1]);
    fixture_tick(&fixture, 10);
    assert_int_equal(side->cancels, 2);
    assert_int_equal(side->stuck, 0);
    fixture_tick(&fixture, 2 * GRACE_MS);
    assert_int_equal(side->stuck, 1);
    assert_true(side->alone);
    for (int i = 0; i < 2; i++) {
        fake_serve(side->fake, &calls[i]);
    }
    fixture_drain(&fixture);
    assert_int_equal(side->port->free_count, FIXTURE_SLOTS);
}

static void another_batch_is_no_reason_to_wait(void **state)
{
    (void)state;
    struct fake_call first[MANY];
    struct fake_call second[MANY];
    struct side *side = fixture_add(&fixture, 2);
    submit("echo", &outcomes[0]);
    assert_int_equal(take_all(side, first, 0), 1);
    submit("echo", &outcomes[1]);
    assert_int_equal(take_all(side, second, 1), 1);
    cancel(&outcomes[0]);
    wait_for_the_grace();
    assert_int_equal(side->stuck, 1);
    fake_serve(side->fake, &first[0]);
    fake_serve(side->fake, &second[0]);
    fixture_drain(&fixture);
    assert_echoed(&outcomes[1], "a");
}

static void nor_is_a_call_that_has_not_begun_or_takes_one_at_a_time(void **state)
{
    (void)state;
    struct fake_call call;
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 2);
    assert_true(fake_take_started(side->fake, &call));
    cancel(&outcomes[0]);
    wait_for_the_grace();
    assert_int_equal(side->stuck, 1);
    fake_serve(side->fake, &call);
    serve_all(side);
    assert_echoed(&outcomes[1], "a");
}

static void the_death_of_its_worker_ends_each_once(void **state)
{
    (void)state;
    struct fake_call calls[MANY];
    struct side *side = fixture_add(&fixture, 1);
    submit_many("echo", 3);
    assert_true(fake_take_started(side->fake, &calls[0]));
    assert_true(fake_take_started(side->fake, &calls[1]));
    fixture_kill(&fixture, side, "killed by the test");
    fixture_drain(&fixture);
    for (int i = 0; i < 2; i++) {
        assert_ended(&outcomes[i], SNAKEPIT_WORKER_DIED, "running");
    }
    // What was gathered and had not begun goes back to the line.
    assert_int_equal(outcomes[2].ended, 0);
    serve_all(fixture_add(&fixture, 1));
    assert_echoed(&outcomes[2], "a");
}

// ---- Size ---------------------------------------------------------------------

static uint32_t spared(void)
{
    struct sp_pool_view view;
    sp_pool_look(fixture.pool, &view, NULL);
    return view.spared;
}

static void a_batch_counts_as_the_executors_that_it_needs(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.elastic = true;
    fixture_close(&fixture);
    fixture_open(&fixture, &options);
    fixture.batch_tools = (struct sp_slice){batch_tools, sizeof batch_tools - 1};
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(spared(), 0);
    submit_many("echo", 3);
    assert_int_equal(spared(), 2);
    serve_all(side);
    submit("large", &outcomes[0]);
    assert_int_equal(spared(), 0);
    serve_all(side);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, open_pool, close_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(a_worker_is_given_as_many_as_its_executors_take_at_once),
        cmocka_unit_test_setup_teardown(with_prefetch_the_next_batch_is_there_already,
                                        open_with_prefetch,
                                        close_pool),
        test_of(each_executor_counts),
        test_of(there_are_never_more_than_slots),
        test_of(other_tools_have_no_such_room),
        test_of(nobody_overtakes_who_waits_for_an_executor),
        test_of(a_session_has_its_calls_run_one_by_one),
        test_of(a_worker_gets_not_one_more_than_it_may_be_given),
        test_of(what_waits_for_a_batch_moves_to_an_idle_worker),
        test_of(one_that_is_given_up_is_not_stuck_while_others_want_the_batch),
        test_of(another_batch_is_no_reason_to_wait),
        test_of(nor_is_a_call_that_has_not_begun_or_takes_one_at_a_time),
        test_of(the_death_of_its_worker_ends_each_once),
        test_of(a_batch_counts_as_the_executors_that_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
