// SPDX-License-Identifier: MIT
// What the tick costs when many calls end in it. Measured in CPU time of this thread,
// against itself, so that a busy machine does not matter.
#include "support/pool_fixture.h"

#include <stdlib.h>
#include <time.h>

#define BYSTANDERS 8000 // calls that have time, older than those that have not
#define LATE       2000

static struct fixture fixture;
static struct outcome *outcomes;

static double cpu_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void submit_many(struct outcome *first, int count, uint32_t timeout_ms)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(fixture_submit(&fixture, "echo", NULL, timeout_ms, first + i),
                         SNAKEPIT_OK);
    }
}

// The CPU time of the tick in which LATE calls end, behind `bystanders` others.
static double tick_ms(int bystanders)
{
    struct sp_pool_options options = fixture_options();
    options.max_queue = BYSTANDERS + LATE;
    options.shared_memory_size = 64u << 20;
    fixture_open(&fixture, &options);
    submit_many(outcomes, bystanders, 0);
    submit_many(outcomes + bystanders, LATE, 1000);
    double began = cpu_ms();
    (void)fixture_tick(&fixture, 1001);
    double took = cpu_ms() - began;
    for (int i = 0; i < bystanders + LATE; i++) {
        assert_int_equal(outcomes[i].ended, i < bystanders ? 0 : 1);
    }
    sp_pool_begin_close(fixture.pool);
    sp_pool_end_all(fixture.pool);
    fixture_drain(&fixture);
    fixture_close(&fixture);
    return took;
}

static void calls_that_have_time_cost_those_that_end_nothing(void **state)
{
    (void)state;
    outcomes = calloc(BYSTANDERS + LATE, sizeof *outcomes);
    assert_non_null(outcomes);
    double alone = tick_ms(0);
    double behind = tick_ms(BYSTANDERS);
    print_message("%d calls end in %.2f ms, behind %d others in %.2f ms\n",
                  LATE,
                  alone,
                  BYSTANDERS,
                  behind);
    assert_true(behind < 10 * alone);
    free(outcomes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_have_time_cost_those_that_end_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
