// SPDX-License-Identifier: MIT
#include "ipc/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct sp_control_shape shape = {
    .slots = 64,
    .executors = 3,
    .leases = 16,
    .waiting = SP_WAITING_SPREAD,
    .epoch = 9,
    .requests_size = 1000,
    .results_size = 2000,
};

static struct sp_segment segment;
static struct sp_control_view made;

static int create(void **state)
{
    (void)state;
    assert_int_equal(sp_control_create(&segment, &shape, &made, NULL), SNAKEPIT_OK);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sp_segment_fini(&segment);
    return 0;
}

static void both_sides_see_the_same_parts(void **state)
{
    (void)state;
    struct sp_control_view opened;
    assert_int_equal(sp_control_open(segment.base, segment.size, &opened), SNAKEPIT_OK);
    assert_int_equal(opened.shape.slots, shape.slots);
    assert_int_equal(opened.shape.executors, shape.executors);
    assert_int_equal(opened.shape.leases, shape.leases);
    assert_int_equal(opened.shape.waiting, shape.waiting);
    assert_int_equal(opened.shape.epoch, shape.epoch);
    assert_int_equal(opened.shape.requests_size, shape.requests_size);
    assert_int_equal(opened.shape.results_size, shape.results_size);
    assert_ptr_equal(opened.slots, made.slots);
    assert_ptr_equal(opened.submit, made.submit);
    assert_ptr_equal(opened.done, made.done);
    assert_ptr_equal(opened.request_returns, made.request_returns);
    assert_ptr_equal(opened.result_returns, made.result_returns);
    assert_ptr_equal(opened.stamps, made.stamps);
    assert_ptr_equal(opened.stack, made.stack);
}

static void parts_stand_on_lines_of_their_own_and_do_not_overlap(void **state)
{
    (void)state;
    const uintptr_t ends[] = {
        (uintptr_t)(made.header + 1),
        (uintptr_t)made.slots,
        (uintptr_t)(made.slots + shape.slots),
        (uintptr_t)made.submit,
        (uintptr_t)(made.submit + shape.slots),
        (uintptr_t)made.done,
        (uintptr_t)(made.done + shape.slots),
        (uintptr_t)made.request_returns,
        (uintptr_t)(made.request_returns + shape.leases),
        (uintptr_t)made.result_returns,
        (uintptr_t)(made.result_returns + shape.leases),
        (uintptr_t)made.stamps,
        (uintptr_t)(made.stamps + shape.executors),
        (uintptr_t)made.stack,
        (uintptr_t)(segment.base + sp_control_size(&shape)),
    };
    for (size_t i = 1; i < sizeof ends / sizeof ends[0]; i++) {
        assert_true(ends[i - 1] <= ends[i]);
        assert_int_equal(i % 2 == 1 ? ends[i] % SP_LINE : 0, 0);
    }
    assert_int_equal(segment.size, sp_control_size(&shape));
}

static void a_segment_that_is_too_small_is_refused(void **state)
{
    (void)state;
    struct sp_control_view opened;
    for (uint64_t size = 0; size < segment.size; size += 64) {
        assert_int_equal(sp_control_open(segment.base, size, &opened),
                         SNAKEPIT_PROTOCOL);
    }
}

static void assert_refused(void)
{
    struct sp_control_view opened;
    assert_int_equal(sp_control_open(segment.base, segment.size, &opened),
                     SNAKEPIT_PROTOCOL);
    drop(NULL);
    create(NULL);
}

static void a_header_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    made.header->magic++;
    assert_refused();
    made.header->version++;
    assert_refused();
    const uint32_t slots[] = {0, 3, 63, 128, SP_SLOTS_MAX * 2, UINT32_MAX, 1u << 31};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        made.header->slots = slots[i];
        assert_refused();
    }
    const uint32_t executors[] = {
        0, SP_EXECUTORS_MAX, SP_EXECUTORS_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof executors / sizeof executors[0]; i++) {
        made.header->executors = executors[i];
        assert_refused();
    }
    const uint32_t leases[] = {0, 5, SP_LEASES_MAX * 2, UINT32_MAX};
    for (size_t i = 0; i < sizeof leases / sizeof leases[0]; i++) {
        made.header->leases = leases[i];
        assert_refused();
    }
    made.header->waiting = SP_WAITING_SPREAD + 1;
    assert_refused();
}

static void offsets_in_the_header_are_not_believed(void **state)
{
    (void)state;
    struct sp_control_view opened;
    made.header->slots_at = UINT64_MAX;
    made.header->submit_at = 1;
    made.header->stamps_at = UINT64_C(1) << 40;
    assert_int_equal(sp_control_open(segment.base, segment.size, &opened), SNAKEPIT_OK);
    assert_ptr_equal(opened.slots, made.slots);
    assert_ptr_equal(opened.submit, made.submit);
    assert_ptr_equal(opened.stamps, made.stamps);
    assert_ptr_equal(opened.stack, made.stack);
}

static void the_largest_shape_fits_its_arithmetic(void **state)
{
    (void)state;
    const struct sp_control_shape largest = {
        .slots = SP_SLOTS_MAX, .executors = SP_EXECUTORS_MAX, .leases = SP_LEASES_MAX};
    assert_true(sp_control_size(&largest) < (UINT64_C(1) << 20));
}

#define test(name) cmocka_unit_test_setup_teardown(name, create, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(both_sides_see_the_same_parts),
        test(parts_stand_on_lines_of_their_own_and_do_not_overlap),
        test(a_segment_that_is_too_small_is_refused),
        test(a_header_that_contradicts_itself_is_refused),
        test(offsets_in_the_header_are_not_believed),
        test(the_largest_shape_fits_its_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
