// SPDX-License-Identifier: MIT
#include "pool/pending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pool/call.h"
#include "support/chance.h"

#define CALLS 2000u

static struct sp_pending pending;
static struct sp_call *calls;

static uint64_t id_of(uint32_t number)
{
    return sp_call_id((uint64_t)number + 1, 7);
}

static int none_pending(void **state)
{
    (void)state;
    sp_pending_init(&pending);
    calls = sp_alloc_array(CALLS, sizeof *calls);
    for (uint32_t i = 0; i < CALLS; i++) {
        calls[i].id = id_of(i);
    }
    return calls == NULL ? -1 : 0;
}

static int free_calls(void **state)
{
    (void)state;
    sp_pending_fini(&pending);
    sp_free(calls);
    return 0;
}

static void a_call_is_found_by_its_id_until_it_leaves(void **state)
{
    (void)state;
    assert_null(sp_pending_find(&pending, id_of(0)));
    for (uint32_t i = 0; i < CALLS; i++) {
        sp_pending_add(&pending, &calls[i], SP_NEVER);
    }
    assert_int_equal(pending.count, CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_ptr_equal(sp_pending_find(&pending, id_of(i)), &calls[i]);
    }
    assert_null(sp_pending_find(&pending, id_of(CALLS)));
    for (uint32_t i = 0; i < CALLS; i++) {
        sp_pending_remove(&pending, &calls[i]);
        assert_null(sp_pending_find(&pending, id_of(i)));
    }
}

static void without_memory_the_table_only_becomes_slower(void **state)
{
    (void)state;
    sp_memory_fail_at(1);
    sp_pending_add(&pending, &calls[0], SP_NEVER);
    sp_pending_add(&pending, &calls[1], SP_NEVER);
    sp_memory_fail_at(0);
    assert_ptr_equal(sp_pending_find(&pending, id_of(0)), &calls[0]);
    assert_ptr_equal(sp_pending_find(&pending, id_of(1)), &calls[1]);
    sp_pending_remove(&pending, &calls[0]);
    sp_pending_remove(&pending, &calls[1]);
}

static void nothing_is_due_before_its_time_or_for_ever(void **state)
{
    (void)state;
    sp_pending_add(&pending, &calls[0], 100);
    sp_pending_add(&pending, &calls[1], SP_NEVER);
    assert_null(sp_pending_due(&pending, 99));
    assert_ptr_equal(sp_pending_due(&pending, 100), &calls[0]);
    sp_pending_set_due(&pending, &calls[0], SP_NEVER);
    assert_null(sp_pending_due(&pending, SP_NEVER - 1));
    sp_pending_set_due(&pending, &calls[1], 50);
    assert_ptr_equal(sp_pending_due(&pending, 50), &calls[1]);
    sp_pending_remove(&pending, &calls[0]);
    sp_pending_remove(&pending, &calls[1]);
}

// Takes all that are due, earliest first; returns how many.
static uint32_t take_due(uint64_t now)
{
    uint32_t count = 0;
    uint64_t last = 0;
    struct sp_call *call;
    while ((call = sp_pending_due(&pending, now)) != NULL) {
        assert_true(call->pending.due >= last);
        last = call->pending.due;
        sp_pending_remove(&pending, call);
        call->id = 0;
        count++;
    }
    return count;
}

static uint32_t count_until(uint64_t now)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        count += calls[i].id != 0 && calls[i].pending.due <= now;
    }
    return count;
}

// Whatever is added, moved and removed in between, those that are due come in order.
static void calls_are_due_in_order_whatever_happens_between(void **state)
{
    (void)state;
    chance_seed = 1;
    for (uint32_t i = 0; i < CALLS; i++) {
        sp_pending_add(&pending, &calls[i], below(1000));
    }
    for (uint64_t now = 0; now < 1000; now += 50) {
        for (uint32_t i = 0; i < 100; i++) {
            struct sp_call *call = &calls[below(CALLS)];
            if (call->id == 0) {
                continue;
            }
            if (i % 2 == 0) {
                sp_pending_set_due(&pending, call, now + below(1000));
            } else {
                sp_pending_remove(&pending, call);
                call->id = 0;
            }
        }
        uint32_t expected = count_until(now);
        assert_int_equal(take_due(now), expected);
    }
    (void)take_due(SP_NEVER - 1);
    assert_int_equal(pending.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_call_is_found_by_its_id_until_it_leaves, none_pending, free_calls),
        cmocka_unit_test_setup_teardown(
            without_memory_the_table_only_becomes_slower, none_pending, free_calls),
        cmocka_unit_test_setup_teardown(
            nothing_is_due_before_its_time_or_for_ever, none_pending, free_calls),
        cmocka_unit_test_setup_teardown(
            calls_are_due_in_order_whatever_happens_between, none_pending, free_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
