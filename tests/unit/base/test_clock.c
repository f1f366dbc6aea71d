// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void time_does_not_go_back(void **state)
{
    (void)state;
    uint64_t last = sp_clock_now();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = sp_clock_now();
        assert_true(now >= last);
        last = now;
        sp_clock_relax();
    }
}

static void a_microsecond_has_the_same_ticks_every_time(void **state)
{
    (void)state;
    uint64_t ticks = sp_clock_ticks_per_us();
    assert_true(ticks >= 1);
    assert_int_equal(sp_clock_ticks_per_us(), ticks);
}

static void what_another_process_has_measured_is_taken_over(void **state)
{
    (void)state;
    uint64_t measured = sp_clock_ticks_per_us();
    sp_clock_adopt_ticks_per_us(measured + 7);
    assert_int_equal(sp_clock_ticks_per_us(), measured + 7);
    sp_clock_adopt_ticks_per_us(0); // it has not measured
    assert_int_equal(sp_clock_ticks_per_us(), measured + 7);
    sp_clock_adopt_ticks_per_us(measured);
}

static void ticks_and_clock_agree(void **state)
{
    (void)state;
    uint64_t per_us = sp_clock_ticks_per_us();
    uint64_t start = sp_clock_now();
    uint64_t ticks = sp_clock_ticks();
    while (sp_clock_now() - start < 5 * SP_NS_PER_MS) {
        sp_clock_relax();
    }
    uint64_t us = (sp_clock_ticks() - ticks) / per_us;
    // Generous: a busy machine may stop this thread between two readings.
    assert_true(us > 2500);
    assert_true(us * SP_NS_PER_US <= 2 * (sp_clock_now() - start));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(a_microsecond_has_the_same_ticks_every_time),
        cmocka_unit_test(what_another_process_has_measured_is_taken_over),
        cmocka_unit_test(ticks_and_clock_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
