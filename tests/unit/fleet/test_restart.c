// SPDX-License-Identifier: MIT
// The policy as a table: what has happened, and what follows.
#include "fleet/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BROKE    SP_START_BROKE
#define HOPELESS SP_START_HOPELESS
#define STARVED  SP_START_STARVED

static const struct sp_restart_rules rules = {
    .limit = 3, .pause_ms = 50, .pause_most_ms = 300};

static void what_follows_a_failed_start(void **state)
{
    (void)state;
    static const struct {
        bool ever_ready;
        uint32_t failures; // before this one
        enum sp_start_failure failure;
        uint32_t ready;
        uint32_t starting;
        enum sp_restart_order order;
        uint64_t pause_ms;
    } rows[] = {
        // A pool that was never ready.
        {false, 0, BROKE, 0, 0, SP_RESTART_LATER, 50},
        {false, 1, BROKE, 0, 0, SP_RESTART_LATER, 100},
        {false, 2, BROKE, 0, 0, SP_RESTART_FAIL, 200},
        {false, 0, HOPELESS, 0, 0, SP_RESTART_FAIL, 50},
        {false, 0, STARVED, 0, 0, SP_RESTART_LATER, 50},
        // Another one that has been started may still be ready.
        {false, 0, HOPELESS, 0, 1, SP_RESTART_LATER, 50},
        {false, 2, BROKE, 0, 1, SP_RESTART_LATER, 200},
        {true, 2, HOPELESS, 0, 1, SP_RESTART_DOWN, 200},
        {false, 2, STARVED, 0, 0, SP_RESTART_DOWN, 200},
        {false, 1000, STARVED, 0, 0, SP_RESTART_DOWN, 300},
        // One that was.
        {true, 0, BROKE, 0, 0, SP_RESTART_LATER, 50},
        {true, 2, BROKE, 0, 0, SP_RESTART_DOWN, 200},
        {true, 0, HOPELESS, 0, 0, SP_RESTART_LATER, 50},
        {true, 2, HOPELESS, 0, 0, SP_RESTART_DOWN, 200},
        {true, 3, HOPELESS, 0, 0, SP_RESTART_DOWN, 300},
        {true, UINT32_MAX - 1, HOPELESS, 0, 0, SP_RESTART_DOWN, 300},
        // As long as a worker serves nothing is worse than slow.
        {false, 1000, HOPELESS, 1, 0, SP_RESTART_LATER, 300},
        {true, 1000, BROKE, 1, 0, SP_RESTART_LATER, 300},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_restart restart = {rows[i].failures, 100, rows[i].ever_ready};
        const struct sp_start start = {
            rows[i].failure, 200, rows[i].ready, rows[i].starting};
        struct sp_restart_verdict verdict =
            sp_restart_failed(&restart, &rules, &start, 300);
        assert_int_equal(verdict.order, rows[i].order);
        assert_int_equal(verdict.pause_ms, rows[i].pause_ms);
        assert_int_equal(restart.failures, rows[i].failures + 1);
        assert_int_equal(restart.failed_at, 300);
    }
}

static void what_began_together_counts_once(void **state)
{
    (void)state;
    struct sp_restart restart = {0};
    const struct sp_start start = {BROKE, 10, 0, 0};
    assert_int_equal(sp_restart_failed(&restart, &rules, &start, 20).order,
                     SP_RESTART_LATER);
    for (uint64_t now = 21; now < 30; now++) {
        assert_int_equal(sp_restart_failed(&restart, &rules, &start, now).order,
                         SP_RESTART_NOTHING);
    }
    assert_int_equal(restart.failures, 1);
    const struct sp_start next = {BROKE, 31, 0, 0};
    assert_int_equal(sp_restart_failed(&restart, &rules, &next, 40).order,
                     SP_RESTART_LATER);
    assert_int_equal(restart.failures, 2);
}

static void the_last_of_those_that_began_together_decides(void **state)
{
    (void)state;
    struct sp_restart restart = {0};
    struct sp_start start = {HOPELESS, 10, 0, 2};
    assert_int_equal(sp_restart_failed(&restart, &rules, &start, 20).order,
                     SP_RESTART_LATER);
    start.starting = 1;
    assert_int_equal(sp_restart_failed(&restart, &rules, &start, 21).order,
                     SP_RESTART_NOTHING);
    start.starting = 0;
    assert_int_equal(sp_restart_failed(&restart, &rules, &start, 22).order,
                     SP_RESTART_FAIL);
}

static void a_worker_that_worked_ends_the_row(void **state)
{
    (void)state;
    struct sp_restart restart = {.failures = 7, .failed_at = 1};
    assert_true(sp_restart_is_careful(&restart));
    sp_restart_ready(&restart); // it may die the next moment
    assert_true(sp_restart_is_careful(&restart));
    sp_restart_worked(&restart);
    assert_false(sp_restart_is_careful(&restart));
    assert_true(restart.ever_ready);
}

static void no_pause_stays_none(void **state)
{
    (void)state;
    const struct sp_restart_rules hasty = {.limit = 1000};
    struct sp_restart restart = {0};
    for (uint64_t now = 1; now < 100; now += 2) {
        const struct sp_start start = {BROKE, now, 0, 0};
        assert_int_equal(sp_restart_failed(&restart, &hasty, &start, now + 1).pause_ms,
                         0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_a_failed_start),
        cmocka_unit_test(what_began_together_counts_once),
        cmocka_unit_test(the_last_of_those_that_began_together_decides),
        cmocka_unit_test(a_worker_that_worked_ends_the_row),
        cmocka_unit_test(no_pause_stays_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
