// SPDX-License-Identifier: MIT
// What was done in the last minutes, by looks that the test makes up.
#include "pit/past.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define MINUTE SP_PAST_EVERY_MS

static struct sp_past past;
static struct sp_past_look look;

static int begin(void **state)
{
    (void)state;
    look = (struct sp_past_look){.at_ms = 0};
    sp_past_init(&past, MINUTE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_past_fini(&past);
    return 0;
}

// A minute in which so many calls wait and run for so long.
static void pass_minute(uint32_t calls, uint64_t ns, uint64_t at_ms)
{
    for (uint32_t i = 0; i < calls; i++) {
        sp_histogram_add(&look.run, ns);
        sp_histogram_add(&look.line, ns);
    }
    look.calls += calls;
    look.at_ms = at_ms;
    assert_true(sp_past_is_due(&past, at_ms));
    sp_past_note(&past, &look);
}

static void a_pool_that_was_opened_just_now_is_told_from_its_beginning(void **state)
{
    (void)state;
    assert_false(sp_past_is_due(&past, 2 * MINUTE - 1));
    look.calls = 7;
    look.at_ms = MINUTE + 43000;
    sp_past_since(&past, &look);
    assert_int_equal(look.at_ms, 43000);
    assert_int_equal(look.calls, 7);
}

static void a_long_good_life_does_not_hide_bad_minutes(void **state)
{
    (void)state;
    uint64_t minute = 2;
    for (; minute < 1000; minute++) {
        pass_minute(1000, SP_NS_PER_MS, minute * MINUTE);
    }
    for (uint32_t i = 0; i < SP_PAST_LOOKS; i++) {
        pass_minute(10, SP_NS_PER_S, minute++ * MINUTE);
    }
    // All that it has ever done is as it was.
    assert_true(sp_histogram_quantile(&look.line, 0.99) < 2 * SP_NS_PER_MS);
    look.at_ms += 30000;
    look.deaths = 3;
    look.late = 4;
    look.cpu_ms = 5;
    sp_past_since(&past, &look);
    assert_int_equal(look.late, 4);
    assert_int_equal(look.cpu_ms, 5);
    assert_int_equal(look.at_ms, 5 * MINUTE + 30000);
    assert_int_equal(look.calls, 50);
    assert_int_equal(look.deaths, 3);
    assert_int_equal(sp_histogram_count(&look.run), 50);
    assert_true(sp_histogram_quantile(&look.line, 0.01) > 900 * SP_NS_PER_MS);
}

static void what_seems_to_go_back_is_nothing(void **state)
{
    (void)state;
    look.lived_ms = 1000;
    for (uint64_t minute = 2; minute < 10; minute++) {
        pass_minute(1, SP_NS_PER_MS, minute * MINUTE);
    }
    look.lived_ms = 999;
    sp_past_since(&past, &look);
    assert_int_equal(look.lived_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_pool_that_was_opened_just_now_is_told_from_its_beginning, begin, end),
        cmocka_unit_test_setup_teardown(
            a_long_good_life_does_not_hide_bad_minutes, begin, end),
        cmocka_unit_test_setup_teardown(what_seems_to_go_back_is_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
