// SPDX-License-Identifier: MIT
// What is seen of the executors of workers, and of the calls that they run.
#include "pool/pool.h"

#include <string.h>

#include "base/clock.h"
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

struct seen {
    size_t count;
    struct sp_executor_row rows[8];
};

static void take(void *user, size_t index, const struct sp_executor_row *row)
{
    struct seen *seen = user;
    assert_int_equal(index, seen->count);
    assert_true(seen->count < 8);
    seen->rows[seen->count++] = *row;
}

static struct seen look(uint64_t worker)
{
    struct seen seen = {.count = 0};
    const size_t count = sp_pool_executors(fixture.pool, worker, take, &seen);
    assert_int_equal(count, seen.count);
    return seen;
}

static struct sp_stamp *stamp_of(struct side *side, uint32_t executor)
{
    return &side->seat->port->view.stamps[executor];
}

static struct side *add(uint64_t worker, uint32_t threads)
{
    struct side *side = fixture_add(&fixture, threads);
    side->seat->worker_id = worker;
    for (uint32_t i = 0; i < threads; i++) {
        atomic_store(&stamp_of(side, i)->state, 1); // it takes calls
    }
    return side;
}

static void idle_executors_run_nothing(void **state)
{
    (void)state;
    add(7, 2);
    const struct seen seen = look(7);
    assert_int_equal(seen.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(seen.rows[i].worker, 7);
        assert_int_equal(seen.rows[i].executor, i);
        assert_int_equal(seen.rows[i].state, SP_EXECUTOR_IDLE);
        assert_int_equal(seen.rows[i].call, 0);
        assert_int_equal(seen.rows[i].running_us, 0);
        assert_string_equal(seen.rows[i].tool, "");
    }
}

static void an_executor_that_has_not_begun_is_absent(void **state)
{
    (void)state;
    struct side *side = add(7, 2);
    atomic_store(&stamp_of(side, 1)->state, 0);
    assert_int_equal(look(7).rows[0].state, SP_EXECUTOR_IDLE);
    assert_int_equal(look(7).rows[1].state, SP_EXECUTOR_ABSENT);
}

static void all_workers_are_told_or_one(void **state)
{
    (void)state;
    add(7, 1);
    add(9, 2);
    assert_int_equal(look(0).count, 3);
    assert_int_equal(look(9).count, 2);
    assert_int_equal(look(8).count, 0);
}

static void those_that_run_something_are_busy(void **state)
{
    (void)state;
    struct side *one = add(7, 2);
    struct side *other = add(9, 1);
    assert_int_equal(sp_pool_busy_executors(fixture.pool), 0);
    atomic_store(&stamp_of(one, 1)->call, 5);
    atomic_store(&stamp_of(other, 0)->call, 6);
    assert_int_equal(sp_pool_busy_executors(fixture.pool), 2);
    atomic_store(&stamp_of(one, 1)->call, 0);
    assert_int_equal(sp_pool_busy_executors(fixture.pool), 1);
    fixture_kill(&fixture, other, "exit code 1");
    assert_int_equal(sp_pool_busy_executors(fixture.pool), 0);
}

static void a_running_call_is_told_with_its_tool_and_time(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct side *side = add(7, 1);
    assert_int_equal(fixture_submit(&fixture, "ec\x1bho", "text", 0, &outcome),
                     SNAKEPIT_OK);
    const uint64_t call =
        SP_ENTRY(side->seat->calls.next, struct sp_call, placement.link)->id;
    atomic_store(&stamp_of(side, 0)->since,
                 sp_clock_ticks() - 5000 * sp_clock_ticks_per_us());
    atomic_store(&stamp_of(side, 0)->call, call);
    struct seen seen = look(7);
    assert_int_equal(seen.rows[0].state, SP_EXECUTOR_RUNNING);
    assert_int_equal(seen.rows[0].call, call);
    assert_string_equal(seen.rows[0].tool, "ec?ho");
    assert_in_range(seen.rows[0].running_us, 5000, 60000000);
    atomic_store(&stamp_of(side, 0)->call, call + 4096); // a worker that lies
    seen = look(7);
    assert_int_equal(seen.rows[0].state, SP_EXECUTOR_RUNNING);
    assert_string_equal(seen.rows[0].tool, "");
    atomic_store(&stamp_of(side, 0)->call, 0);
    assert_true(fixture_serve_one(&fixture, side));
}

static void places_are_free_where_a_worker_has_fewer_calls_than_executors(void **state)
{
    (void)state;
    static struct outcome outcomes[2];
    assert_int_equal(sp_pool_free_places(fixture.pool), 0);
    struct side *small = add(7, 1);
    struct side *large = add(9, 3);
    assert_int_equal(sp_pool_free_places(fixture.pool), 4);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", "text", 0, &outcomes[i]),
                         SNAKEPIT_OK);
    }
    assert_int_equal(sp_pool_free_places(fixture.pool), 2);
    sp_pool_close_seat(fixture.pool, large->seat);
    const uint32_t left = small->seat->capacity - small->seat->load;
    assert_int_equal(sp_pool_free_places(fixture.pool), left);
    while (fixture_serve_one(&fixture, small) || fixture_serve_one(&fixture, large)) {
    }
}

static void a_worker_that_is_dead_runs_nothing(void **state)
{
    (void)state;
    struct side *side = add(7, 1);
    static const struct sp_failure failure = {.err = SNAKEPIT_WORKER_DIED};
    atomic_store(&stamp_of(side, 0)->call, 77);
    sp_pool_seat_died(fixture.pool, side->seat, &failure);
    const struct seen seen = look(7);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.rows[0].state, SP_EXECUTOR_ABSENT);
    assert_int_equal(seen.rows[0].call, 0);
}

static void serve(struct side *side)
{
    static struct outcome outcome;
    assert_int_equal(fixture_submit(&fixture, "echo", "text", 0, &outcome),
                     SNAKEPIT_OK);
    assert_true(fixture_serve_one(&fixture, side));
}

static void a_worker_knows_how_many_calls_it_was_handed(void **state)
{
    (void)state;
    struct side *side = add(7, 1);
    serve(side); // as the probe of a real worker, which does not count
    assert_int_equal(sp_pool_load_of(fixture.pool, 7).handed, 0);
    serve(side);
    serve(side);
    assert_int_equal(sp_pool_load_of(fixture.pool, 7).handed, 2);
    assert_int_equal(sp_pool_load_of(fixture.pool, 8).handed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(idle_executors_run_nothing),
        TEST(an_executor_that_has_not_begun_is_absent),
        TEST(all_workers_are_told_or_one),
        TEST(those_that_run_something_are_busy),
        TEST(a_running_call_is_told_with_its_tool_and_time),
        TEST(places_are_free_where_a_worker_has_fewer_calls_than_executors),
        TEST(a_worker_that_is_dead_runs_nothing),
        TEST(a_worker_knows_how_many_calls_it_was_handed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
