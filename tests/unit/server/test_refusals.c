// SPDX-License-Identifier: MIT
#include "server/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void one_each_second_is_told_and_the_others_are_counted(void **state)
{
    (void)state;
    struct sp_refusals refusals = {0};
    unsigned others = 9;
    assert_true(sp_refusals_tell(&refusals, SP_NS_PER_S, &others));
    assert_int_equal(others, 0);
    assert_false(sp_refusals_tell(&refusals, SP_NS_PER_S + 1, &others));
    assert_false(sp_refusals_tell(&refusals, 2 * SP_NS_PER_S - 1, &others));
    assert_true(sp_refusals_tell(&refusals, 2 * SP_NS_PER_S, &others));
    assert_int_equal(others, 2);
    assert_true(sp_refusals_tell(&refusals, 3 * SP_NS_PER_S, &others));
    assert_int_equal(others, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_each_second_is_told_and_the_others_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
