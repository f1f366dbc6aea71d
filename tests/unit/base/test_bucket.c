// SPDX-License-Identifier: MIT
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static void so_much_is_there_at_once(void **state)
{
    (void)state;
    struct sp_bucket bucket;
    sp_bucket_init(&bucket, 3, 1, SP_NS_PER_S);
    for (int i = 0; i < 3; i++) {
        assert_true(sp_bucket_take(&bucket, 1, SP_NS_PER_S));
    }
    assert_false(sp_bucket_take(&bucket, 1, SP_NS_PER_S));
}

static void so_much_comes_in_a_second(void **state)
{
    (void)state;
    struct sp_bucket bucket;
    uint64_t now = 5 * SP_NS_PER_S;
    int taken = 0;
    sp_bucket_init(&bucket, 10, 7, now);
    assert_true(sp_bucket_take(&bucket, 10, now));
    for (int step = 0; step < 10000; step++) { // ten seconds, in steps of less than one
        now += SP_NS_PER_MS;
        taken += sp_bucket_take(&bucket, 1, now);
    }
    assert_true(taken >= 69 && taken <= 70);
}

static void no_more_comes_in_than_it_holds(void **state)
{
    (void)state;
    struct sp_bucket bucket;
    sp_bucket_init(&bucket, 3, 1000, 0);
    assert_true(sp_bucket_take(&bucket, 3, 0));
    assert_false(sp_bucket_take(&bucket, 4, SP_NEVER / 2));
    assert_true(sp_bucket_take(&bucket, 3, SP_NEVER / 2));
}

static void a_debt_takes_its_time(void **state)
{
    (void)state;
    struct sp_bucket bucket;
    sp_bucket_init(&bucket, 100, 50, 0);
    assert_int_equal(sp_bucket_spend(&bucket, 100, 0), 0);
    assert_int_equal(sp_bucket_spend(&bucket, 25, 0), SP_NS_PER_S / 2);
    assert_false(sp_bucket_take(&bucket, 1, SP_NS_PER_S / 2));
    assert_true(sp_bucket_take(&bucket, 1, SP_NS_PER_S));
}

static void a_clock_that_stands_still_or_goes_back_gives_nothing(void **state)
{
    (void)state;
    struct sp_bucket bucket;
    sp_bucket_init(&bucket, 1, 1000, SP_NS_PER_S);
    assert_true(sp_bucket_take(&bucket, 1, SP_NS_PER_S));
    assert_false(sp_bucket_take(&bucket, 1, SP_NS_PER_S));
    assert_false(sp_bucket_take(&bucket, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_much_is_there_at_once),
        cmocka_unit_test(so_much_comes_in_a_second),
        cmocka_unit_test(no_more_comes_in_than_it_holds),
        cmocka_unit_test(a_debt_takes_its_time),
        cmocka_unit_test(a_clock_that_stands_still_or_goes_back_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
