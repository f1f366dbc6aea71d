// SPDX-License-Identifier: MIT
// The rule of patience by its numbers.
#include "ipc/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static uint64_t us(uint64_t number)
{
    return number * sp_clock_ticks_per_us();
}

static void nobody_spins_before_it_has_paid_off(void **state)
{
    (void)state;
    struct sp_patience patience = {0};
    assert_int_equal(patience.budget, 0);
    sp_patience_miss(&patience, us(1000));
    assert_int_equal(patience.budget, 0);
}

static void a_short_sleep_grows_the_budget_to_its_limit(void **state)
{
    (void)state;
    struct sp_patience patience = {0};
    const uint64_t budgets[] = {10, 20, 40, 50, 50};
    for (size_t i = 0; i < 5; i++) {
        sp_patience_miss(&patience, us(99));
        assert_int_equal(patience.budget, us(budgets[i]));
    }
}

static void long_sleeps_take_the_budget_to_zero(void **state)
{
    (void)state;
    struct sp_patience patience = {.budget = us(50)};
    uint64_t before = patience.budget;
    for (int i = 0; i < 5; i++) {
        sp_patience_miss(&patience, us(100));
        assert_true(patience.budget < before || patience.budget == 0);
        before = patience.budget;
    }
    assert_int_equal(patience.budget, 0);
}

static void a_hit_moves_the_budget_towards_twice_the_wait(void **state)
{
    (void)state;
    struct sp_patience patience = {.budget = us(16)};
    sp_patience_hit(&patience, us(10));
    assert_int_equal(patience.budget, (7 * us(16) + us(20)) / 8);
    for (int i = 0; i < 100; i++) {
        sp_patience_hit(&patience, us(10));
    }
    assert_true(patience.budget >= us(20) - 10 && patience.budget <= us(20) + 10);
    for (int i = 0; i < 100; i++) {
        sp_patience_hit(&patience, us(100000));
    }
    assert_true(patience.budget >= us(50) - 10 && patience.budget <= us(50));
    for (int i = 0; i < 200; i++) {
        sp_patience_hit(&patience, 0);
    }
    // One hiccup of the other side must not become a sleep.
    assert_true(patience.budget >= us(8) && patience.budget <= us(8) + 10);
}

// One wait for an answer that comes after `ticks`. True: the first look has found it.
static bool wait_once(struct sp_patience *patience, uint64_t ticks)
{
    uint64_t quiet = sp_patience_quiet(patience);
    bool at_once = quiet >= ticks;
    sp_patience_note(patience, at_once ? quiet : ticks, at_once);
    return at_once;
}

static void steady_waits_are_not_looked_at_before_they_are_over(void **state)
{
    (void)state;
    struct sp_patience patience = {0};
    uint64_t wait = us(1) / 2;
    int at_once = 0;
    assert_int_equal(sp_patience_quiet(&patience), 0);
    for (int i = 0; i < 100; i++) {
        (void)wait_once(&patience, wait);
    }
    for (int i = 0; i < 100; i++) {
        at_once += wait_once(&patience, wait) ? 1 : 0;
        uint64_t quiet = sp_patience_quiet(&patience);
        assert_true(quiet > wait - wait / 50 && quiet < wait + wait / 25);
    }
    assert_true(at_once >= 60);
}

static void a_wait_that_becomes_shorter_is_looked_at_sooner(void **state)
{
    (void)state;
    struct sp_patience patience = {0};
    for (int i = 0; i < 100; i++) {
        (void)wait_once(&patience, us(1));
    }
    assert_true(sp_patience_quiet(&patience) > us(1) / 2);
    for (int i = 0; i < 60; i++) {
        (void)wait_once(&patience, us(1) / 3);
    }
    assert_true(sp_patience_quiet(&patience) < us(1) / 2);
}

static void waits_of_any_length_are_looked_at_from_the_start(void **state)
{
    (void)state;
    struct sp_patience patience = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        (void)wait_once(&patience, i % 2 == 0 ? us(1) / 4 : us(1));
        assert_true(i < 50 || sp_patience_quiet(&patience) == 0);
    }
    for (int i = 0; i < 100; i++) {
        (void)wait_once(&patience, us(10));
        assert_true(sp_patience_quiet(&patience) <= us(2));
    }
    assert_int_equal(sp_patience_quiet(&patience), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_spins_before_it_has_paid_off),
        cmocka_unit_test(a_short_sleep_grows_the_budget_to_its_limit),
        cmocka_unit_test(long_sleeps_take_the_budget_to_zero),
        cmocka_unit_test(a_hit_moves_the_budget_towards_twice_the_wait),
        cmocka_unit_test(steady_waits_are_not_looked_at_before_they_are_over),
        cmocka_unit_test(a_wait_that_becomes_shorter_is_looked_at_sooner),
        cmocka_unit_test(waits_of_any_length_are_looked_at_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
