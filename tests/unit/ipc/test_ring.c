// SPDX-License-Identifier: MIT
#include "ipc/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CELLS 8u

static void a_zeroed_ring_is_empty(void **state)
{
    (void)state;
    sp_cell cells[CELLS] = {0};
    _Atomic uint64_t head = 0;
    uint32_t number = 77;
    assert_false(sp_ring_peek(cells, CELLS - 1, 0, &number));
    assert_false(sp_ring_take(cells, CELLS - 1, &head, &number));
    assert_int_equal(number, 77);
    assert_int_equal(head, 0);
}

static void numbers_leave_in_the_order_they_came(void **state)
{
    (void)state;
    sp_cell cells[CELLS] = {0};
    _Atomic uint64_t head = 0;
    uint64_t tail = 0;
    uint32_t number;
    uint32_t next = 0;
    for (uint32_t i = 0; i < 100; i++) {
        sp_ring_put(cells, CELLS - 1, tail++, i);
        if (i % 3 != 0) {
            assert_true(sp_ring_take(cells, CELLS - 1, &head, &number));
            assert_int_equal(number, next++);
        }
        while (tail - head >= CELLS) {
            assert_true(sp_ring_take(cells, CELLS - 1, &head, &number));
            assert_int_equal(number, next++);
        }
    }
}

static void a_peek_takes_nothing(void **state)
{
    (void)state;
    sp_cell cells[CELLS] = {0};
    uint32_t number = 0;
    sp_ring_put(cells, CELLS - 1, 0, UINT32_MAX);
    assert_true(sp_ring_peek(cells, CELLS - 1, 0, &number));
    assert_true(sp_ring_peek(cells, CELLS - 1, 0, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_false(sp_ring_peek(cells, CELLS - 1, 1, &number));
}

static void a_cell_of_the_lap_before_is_not_fresh(void **state)
{
    (void)state;
    sp_cell cells[CELLS] = {0};
    uint32_t number;
    for (uint64_t i = 0; i < CELLS; i++) {
        sp_ring_put(cells, CELLS - 1, i, 1);
    }
    for (uint64_t i = CELLS; i < 2ull * CELLS; i++) {
        assert_false(sp_ring_peek(cells, CELLS - 1, i, &number));
    }
}

static void positions_may_pass_the_32_bits_that_a_cell_keeps(void **state)
{
    (void)state;
    sp_cell cells[CELLS] = {0};
    const uint64_t edge = UINT64_C(1) << 32;
    _Atomic uint64_t head = edge - 3;
    uint32_t number;
    for (uint64_t position = edge - 3 - CELLS; position < edge - 3; position++) {
        sp_ring_put(cells, CELLS - 1, position, 5); // the lap before
    }
    for (uint64_t position = edge - 3; position < edge + 3; position++) {
        assert_false(sp_ring_take(cells, CELLS - 1, &head, &number));
        sp_ring_put(cells, CELLS - 1, position, (uint32_t)(position & 0xff));
        assert_true(sp_ring_take(cells, CELLS - 1, &head, &number));
        assert_int_equal(number, position & 0xff);
    }
    assert_int_equal(head, edge + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_ring_is_empty),
        cmocka_unit_test(numbers_leave_in_the_order_they_came),
        cmocka_unit_test(a_peek_takes_nothing),
        cmocka_unit_test(a_cell_of_the_lap_before_is_not_fresh),
        cmocka_unit_test(positions_may_pass_the_32_bits_that_a_cell_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
