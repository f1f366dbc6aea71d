// SPDX-License-Identifier: MIT
#include "pool/crowd.h"

#include "support/pool_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/notice_write.h"

static struct fixture fixture;
static char lines[8][256];
static int line_count;

static void keep(void *user, const struct sp_notice *notice)
{
    (void)user;
    assert_true(line_count < 8);
    (void)sp_notice_line(notice, lines[line_count++], sizeof lines[0]);
}

static const struct sp_log log_of_test = {.write = keep, .level = SP_LOG_INFO};

static int open_small(void **state)
{
    struct sp_pool_options options = fixture_options();
    (void)state;
    options.max_queue = 2;
    line_count = 0;
    fixture_open(&fixture, &options);
    fixture.pool->log = &log_of_test;
    return 0;
}

static int close_it(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static snakepit_err submit(struct outcome *outcome)
{
    return fixture_submit(&fixture, "echo", "x", 0, outcome);
}

static void serve_all(struct side *side)
{
    while (fixture_serve_one(&fixture, side)) {
    }
}

// As if that time had passed since calls were refused, and since that was told.
static void pass(struct sp_crowd *crowd, uint64_t ns)
{
    crowd->refused_at -= ns;
    crowd->refuses_told_at -= crowd->refuses_told_at != 0 ? ns : 0;
}

static void what_is_busy_and_what_is_refused_is_told_once(void **state)
{
    static struct outcome outcomes[6];
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    assert_int_equal(submit(&outcomes[0]), SNAKEPIT_OK);
    assert_int_equal(line_count, 0); // it runs
    assert_int_equal(submit(&outcomes[1]), SNAKEPIT_OK);
    assert_int_equal(line_count, 1);
    assert_string_equal(lines[0],
                        "worker.capacity_saturated pool=unit workers=1 capacity=1 "
                        "running=1 waiting=1");
    assert_int_equal(submit(&outcomes[2]), SNAKEPIT_OK);
    assert_int_equal(line_count, 1);
    for (int i = 3; i < 6; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_SATURATED);
    }
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 1); // more may come
    pass(&fixture.pool->crowd, SP_NS_PER_S);
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 2);
    assert_string_equal(lines[1],
                        "pool.saturated pool=unit refused=3 waiting=2 capacity=1");
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 2);
    serve_all(side);
}

static void a_pool_is_told_to_be_saturated_once_and_to_be_free_again(void **state)
{
    static struct outcome outcomes[4];
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    struct sp_crowd *crowd = &fixture.pool->crowd;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_OK);
    }
    assert_int_equal(line_count, 1);
    // However long that lasts.
    crowd->saturated_at -= 3600 * SP_NS_PER_S;
    crowd->waited_at -= 3600 * SP_NS_PER_S;
    sp_crowd_look(fixture.pool); // a call waits at that moment
    assert_int_equal(submit(&outcomes[2]), SNAKEPIT_OK);
    assert_int_equal(line_count, 1);
    serve_all(side);
    // A moment without waiting is not the end of it.
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 1);
    crowd->saturated_at -= 10 * SP_NS_PER_S;
    crowd->waited_at -= 10 * SP_NS_PER_S;
    sp_crowd_look(fixture.pool);
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 2);
    assert_memory_equal(lines[1],
                        "worker.capacity_free pool=unit workers=1 saturated_ms=3600",
                        strlen("worker.capacity_free pool=unit workers=1 "
                               "saturated_ms=3600"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_OK);
    }
    assert_int_equal(line_count, 3);
    serve_all(side);
}

static void what_was_not_told_is_counted_the_next_time(void **state)
{
    static struct outcome outcomes[8];
    (void)state;
    struct side *side = fixture_add(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_OK);
    }
    for (int i = 3; i < 6; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_SATURATED);
    }
    pass(&fixture.pool->crowd, SP_NS_PER_S);
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 2);
    for (int i = 6; i < 8; i++) {
        assert_int_equal(submit(&outcomes[i]), SNAKEPIT_SATURATED);
    }
    pass(&fixture.pool->crowd, 9 * SP_NS_PER_S);
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 2);
    pass(&fixture.pool->crowd, SP_NS_PER_S);
    sp_crowd_look(fixture.pool);
    assert_int_equal(line_count, 3);
    assert_string_equal(lines[2],
                        "pool.saturated pool=unit refused=2 waiting=2 capacity=1");
    serve_all(side);
}

static void a_pool_without_workers_is_not_saturated(void **state)
{
    static struct outcome outcome;
    (void)state;
    assert_int_equal(submit(&outcome), SNAKEPIT_OK);
    assert_int_equal(line_count, 0);
    serve_all(fixture_add(&fixture, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_busy_and_what_is_refused_is_told_once, open_small, close_it),
        cmocka_unit_test_setup_teardown(
            a_pool_is_told_to_be_saturated_once_and_to_be_free_again,
            open_small,
            close_it),
        cmocka_unit_test_setup_teardown(
            what_was_not_told_is_counted_the_next_time, open_small, close_it),
        cmocka_unit_test_setup_teardown(
            a_pool_without_workers_is_not_saturated, open_small, close_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
