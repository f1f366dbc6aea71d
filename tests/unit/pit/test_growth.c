// SPDX-License-Identifier: MIT
// Which workers grow, by looks that the test makes up.
#include "pit/growth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static struct sp_growth growth;
static struct sp_growth_look look;

static int begin(void **state)
{
    (void)state;
    look = (struct sp_growth_look){.at_ms = 5000};
    sp_growth_init(&growth);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_growth_fini(&growth);
    return 0;
}

// What is found when the workers 1, 2, ... have had so much memory, at one look after
// the other; they are as old as the looks.
static struct sp_grown find(uint32_t looks, uint32_t workers, uint64_t mib[][2])
{
    for (uint32_t i = 0; i < looks; i++) {
        look.count = workers;
        for (uint32_t j = 0; j < workers; j++) {
            look.rows[j] = (struct sp_growth_row){
                .worker = j + 1, .age_ms = look.at_ms, .bytes = mib[i][j] * MIB};
        }
        if (i + 1 < looks) {
            assert_true(sp_growth_is_due(&growth, look.at_ms));
            sp_growth_note(&growth, &look);
            assert_false(sp_growth_is_due(&growth, look.at_ms));
            look.at_ms += SP_GROWTH_EVERY_MS;
        }
    }
    return sp_growth_find(&growth, &look);
}

static void a_worker_that_grows_on_and_on_is_found(void **state)
{
    (void)state;
    uint64_t mib[][2] = {
        {50, 50}, {100, 50}, {150, 60}, {200, 50}, {250, 60}, {300, 50}};
    const struct sp_grown grown = find(6, 2, mib);
    assert_int_equal(grown.worker, 1);
    assert_int_equal(grown.workers, 1);
    assert_int_equal(grown.from, 150 * MIB); // when it was warm
    assert_int_equal(grown.to, 300 * MIB);
    assert_int_equal(grown.over_ms, 3 * SP_GROWTH_EVERY_MS);
}

static void the_one_that_grows_the_fastest_is_named(void **state)
{
    (void)state;
    uint64_t mib[][2] = {
        {50, 50}, {100, 200}, {150, 400}, {200, 600}, {250, 800}, {300, 1000}};
    const struct sp_grown grown = find(6, 2, mib);
    assert_int_equal(grown.worker, 2);
    assert_int_equal(grown.workers, 2);
}

static void a_worker_that_warms_up_does_not_grow(void **state)
{
    (void)state;
    uint64_t mib[][2] = {{50}, {700}, {900}, {901}, {902}, {902}};
    assert_int_equal(find(6, 1, mib).worker, 0);
}

static void one_that_has_just_begun_is_not_judged(void **state)
{
    (void)state;
    uint64_t mib[][2] = {{50}, {200}, {400}, {600}, {800}};
    assert_int_equal(find(5, 1, mib).worker, 0); // for 40 s it was warm
}

static void a_little_is_no_growth(void **state)
{
    (void)state;
    uint64_t mib[][2] = {{50}, {50}, {50}, {70}, {90}, {113}};
    assert_int_equal(find(6, 1, mib).worker, 0);
}

static void what_is_loaded_late_is_one_step(void **state)
{
    (void)state;
    uint64_t mib[][2] = {{50}, {50}, {50}, {50}, {50}, {900}, {900}, {900}};
    assert_int_equal(find(6, 1, mib).worker, 0);
    uint64_t more[][2] = {{50}, {900}, {900}, {900}};
    assert_int_equal(find(4, 1, more).worker, 0);
}

static void what_comes_and_goes_does_not_grow(void **state)
{
    (void)state;
    uint64_t mib[][2] = {{50}, {50}, {50}, {300}, {100}, {150}, {200}, {250}};
    assert_int_equal(find(8, 1, mib).worker, 0);
}

static void what_it_did_long_ago_is_forgotten(void **state)
{
    (void)state;
    uint64_t mib[30][2];
    for (uint32_t i = 0; i < 30; i++) {
        mib[i][0] = i < 10 ? 50 + i * (uint64_t)100 : 1050;
        mib[i][1] = 0; // it is not known
    }
    assert_int_equal(find(30, 2, mib).worker, 0);
    assert_int_equal(growth.count, 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_worker_that_grows_on_and_on_is_found, begin, end),
        cmocka_unit_test_setup_teardown(
            the_one_that_grows_the_fastest_is_named, begin, end),
        cmocka_unit_test_setup_teardown(
            a_worker_that_warms_up_does_not_grow, begin, end),
        cmocka_unit_test_setup_teardown(
            one_that_has_just_begun_is_not_judged, begin, end),
        cmocka_unit_test_setup_teardown(a_little_is_no_growth, begin, end),
        cmocka_unit_test_setup_teardown(what_is_loaded_late_is_one_step, begin, end),
        cmocka_unit_test_setup_teardown(what_comes_and_goes_does_not_grow, begin, end),
        cmocka_unit_test_setup_teardown(what_it_did_long_ago_is_forgotten, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
