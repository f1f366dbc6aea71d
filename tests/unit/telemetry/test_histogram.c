// SPDX-License-Identifier: MIT
#include "telemetry/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 1000000u

static struct sp_histogram histogram;
static uint64_t *times;

static int empty(void **state)
{
    (void)state;
    histogram = (struct sp_histogram){0};
    return 0;
}

static void each_time_is_in_the_class_that_its_limits_say(void **state)
{
    (void)state;
    for (uint32_t i = 0; i + 1 < SP_HISTOGRAM_CLASSES; i++) {
        const uint64_t limit = sp_histogram_limit(i);
        assert_int_equal(sp_histogram_class(limit - 1), i);
        assert_int_equal(sp_histogram_class(limit), i + 1);
    }
    assert_int_equal(sp_histogram_class(0), 0);
    assert_int_equal(sp_histogram_class(UINT64_MAX), SP_HISTOGRAM_CLASSES - 1);
}

static void a_class_is_a_sixteenth_wide_at_most(void **state)
{
    (void)state;
    for (uint32_t i = 1; i + 1 < SP_HISTOGRAM_CLASSES; i++) {
        const uint64_t below = sp_histogram_limit(i - 1);
        assert_true((sp_histogram_limit(i) - below) * 16 <= below);
    }
}

static int compare(const void *one, const void *other)
{
    const uint64_t a = *(const uint64_t *)one;
    const uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

// A million times of which the longest are a hundred thousand times the shortest.
static void fill(void)
{
    uint64_t random = 1;
    for (uint32_t i = 0; i < MANY; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const uint32_t power = 9 + (uint32_t)(random >> 60);
        times[i] = (UINT64_C(1) << power) + ((random >> 16) & ((1u << power) - 1));
        sp_histogram_add(&histogram, times[i]);
    }
    qsort(times, MANY, sizeof *times, compare);
}

static void quantiles_are_within_five_percent(void **state)
{
    static const double shares[] = {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    (void)state;
    times = calloc(MANY, sizeof *times);
    assert_non_null(times);
    fill();
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        const double exact = (double)times[(size_t)(shares[i] * MANY) - 1];
        const double told = (double)sp_histogram_quantile(&histogram, shares[i]);
        assert_true(told > exact * 0.95 && told < exact * 1.05);
    }
    free(times);
}

static void counts_and_sums_are_exact(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(1) << 20; ns *= 2) {
        sp_histogram_add(&histogram, ns);
    }
    assert_int_equal(sp_histogram_count(&histogram), 20);
    assert_int_equal(histogram.sum_ns, (UINT64_C(1) << 20) - 1);
    for (uint32_t power = SP_HISTOGRAM_FIRST; power < 20; power++) {
        assert_int_equal(sp_histogram_below(&histogram, power), power);
    }
}

static void without_times_there_is_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(sp_histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(sp_histogram_count(&histogram), 0);
}

static void the_longest_are_told_as_the_end_of_the_range(void **state)
{
    (void)state;
    sp_histogram_add(&histogram, UINT64_C(1) << 50);
    assert_int_equal(sp_histogram_quantile(&histogram, 0.5), UINT64_C(1) << 37);
    assert_int_equal(sp_histogram_below(&histogram, 37), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_time_is_in_the_class_that_its_limits_say),
        TEST(a_class_is_a_sixteenth_wide_at_most),
        TEST(quantiles_are_within_five_percent),
        TEST(counts_and_sums_are_exact),
        TEST(without_times_there_is_no_quantile),
        TEST(the_longest_are_told_as_the_end_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
