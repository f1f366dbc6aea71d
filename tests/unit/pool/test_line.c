// SPDX-License-Identifier: MIT
#include "pool/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sp_line line;
static struct sp_call calls[4];

static int fresh_line(void **state)
{
    (void)state;
    sp_line_init(&line, 3);
    for (uint64_t i = 0; i < 4; i++) {
        calls[i] = (struct sp_call){.id = i, .rank = i};
    }
    return 0;
}

static void put(struct sp_call *call)
{
    sp_line_put_sorted(&line, &line.calls, call);
}

static void calls_leave_in_the_order_they_came(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(&calls[i]);
        assert_int_equal(calls[i].phase, SP_CALL_IN_LINE);
    }
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(sp_line_take(&line), &calls[i]);
    }
    assert_null(sp_line_take(&line));
    assert_int_equal(line.count, 0);
}

static void rank(struct sp_call *call, uint64_t number, uint32_t priority)
{
    *call = (struct sp_call){.id = number, .rank = sp_call_rank(number, priority)};
}

static void the_more_urgent_go_first(void **state)
{
    (void)state;
    rank(&calls[0], 1, 0);
    rank(&calls[1], 2, 7);
    rank(&calls[2], 3, 1);
    rank(&calls[3], 4, 7);
    for (int i = 0; i < 4; i++) {
        put(&calls[i]);
    }
    const int order[] = {1, 3, 2, 0};
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(sp_line_take(&line), &calls[order[i]]);
    }
}

// A thousand calls for each step.
static void nobody_waits_for_ever_for_more_urgent_ones(void **state)
{
    (void)state;
    rank(&calls[0], 1, 0);
    rank(&calls[1], 7001, 7);
    rank(&calls[2], 7002, 7);
    rank(&calls[3], 7000, 7);
    for (int i = 0; i < 4; i++) {
        put(&calls[i]);
    }
    const int order[] = {3, 0, 1, 2};
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(sp_line_take(&line), &calls[order[i]]);
    }
}

static void a_line_is_full_at_its_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(&calls[i]);
    }
    assert_true(sp_line_is_full(&line));
    (void)sp_line_take(&line);
    assert_false(sp_line_is_full(&line));
}

static void
a_call_that_was_admitted_before_goes_to_the_front_of_a_full_line(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(&calls[i]);
    }
    sp_line_put_first(&line, &calls[3]);
    assert_int_equal(line.count, 4);
    assert_int_equal(calls[3].phase, SP_CALL_IN_LINE);
    assert_ptr_equal(sp_line_take(&line), &calls[3]);
    assert_true(sp_line_is_full(&line));
}

static void any_call_may_leave_the_line(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(&calls[i]);
    }
    sp_line_remove(&line, &calls[1]);
    assert_int_equal(line.count, 2);
    assert_ptr_equal(sp_line_take(&line), &calls[0]);
    assert_ptr_equal(sp_line_take(&line), &calls[2]);
}

static void a_call_that_was_admitted_earlier_stands_before_later_ones(void **state)
{
    (void)state;
    struct sp_link own;
    sp_list_init(&own);
    const int order[] = {1, 3, 0, 2};
    for (int i = 0; i < 4; i++) {
        sp_line_put_sorted(&line, &own, &calls[order[i]]);
    }
    assert_int_equal(line.count, 4);
    assert_true(sp_line_is_full(&line));
    assert_null(sp_line_take(&line));
    for (int i = 0; i < 4; i++) {
        struct sp_call *first = SP_ENTRY(own.next, struct sp_call, link);
        assert_ptr_equal(first, &calls[i]);
        assert_int_equal(first->phase, SP_CALL_IN_LINE);
        sp_line_remove(&line, first);
    }
    assert_int_equal(line.count, 0);
}

static void a_line_may_have_no_place_at_all(void **state)
{
    (void)state;
    sp_line_init(&line, 0);
    assert_true(sp_line_is_full(&line));
    assert_null(sp_line_take(&line));
}

#define test(name) cmocka_unit_test_setup(name, fresh_line)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(calls_leave_in_the_order_they_came),
        test(the_more_urgent_go_first),
        test(nobody_waits_for_ever_for_more_urgent_ones),
        test(a_line_is_full_at_its_limit),
        test(a_call_that_was_admitted_before_goes_to_the_front_of_a_full_line),
        test(any_call_may_leave_the_line),
        test(a_call_that_was_admitted_earlier_stands_before_later_ones),
        test(a_line_may_have_no_place_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
