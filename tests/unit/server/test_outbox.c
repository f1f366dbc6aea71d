// SPDX-License-Identifier: MIT
#include "server/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static const struct sp_log quiet = {.level = SP_LOG_OFF};
static uint8_t bytes[MIB];

static struct sp_slice piece(size_t size)
{
    return (struct sp_slice){bytes, size};
}

static void what_is_put_goes_in_order(void **state)
{
    (void)state;
    struct sp_outbox box = {.at = 0};
    assert_int_equal(sp_outbox_put(&box, NULL, sp_slice_of_text("abcd")), SNAKEPIT_OK);
    sp_outbox_sent(&box, NULL, 3);
    assert_int_equal(sp_outbox_put(&box, NULL, sp_slice_of_text("ef")), SNAKEPIT_OK);
    assert_int_equal(sp_outbox_size(&box), 3);
    assert_memory_equal(sp_outbox_slice(&box).data, "def", 3);
    sp_outbox_sent(&box, NULL, 3);
    assert_int_equal(sp_outbox_size(&box), 0);
    sp_outbox_fini(&box, NULL);
}

// As long as a stream lasts.
static void a_client_that_lags_behind_takes_no_more_and_more(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = MIB};
    struct sp_outbox box = {.at = 0};
    assert_int_equal(sp_outbox_put(&box, &budget, piece(100 * KIB)), SNAKEPIT_OK);
    for (int i = 0; i < 1000; i++) {
        sp_outbox_sent(&box, &budget, 60 * KIB);
        assert_int_equal(sp_outbox_put(&box, &budget, piece(60 * KIB)), SNAKEPIT_OK);
        assert_true(box.bytes.capacity <= 512 * KIB);
        assert_int_equal(atomic_load(&budget.used), box.counted);
    }
    sp_outbox_fini(&box, &budget);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void what_was_read_is_given_back_before_all_is(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 2 * MIB};
    struct sp_outbox box = {.at = 0};
    memset(bytes + MIB - 5, 'x', 5);
    assert_int_equal(sp_outbox_put(&box, &budget, piece(MIB)), SNAKEPIT_OK);
    assert_int_equal(atomic_load(&budget.used), MIB);
    sp_outbox_sent(&box, &budget, MIB - 5);
    assert_int_equal(atomic_load(&budget.used), 0);
    assert_true(box.bytes.capacity < KIB);
    assert_memory_equal(sp_outbox_slice(&box).data, "xxxxx", 5);
    sp_outbox_fini(&box, &budget);
}

static void a_large_answer_waits_only_where_there_is_room(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = MIB};
    struct sp_outbox one = {.at = 0};
    struct sp_outbox other = {.at = 0};
    assert_true(sp_outbox_may_take(&budget, MIB, &quiet));
    assert_int_equal(sp_outbox_put(&one, &budget, piece(600 * KIB)), SNAKEPIT_OK);
    assert_false(sp_outbox_may_take(&budget, 600 * KIB, &quiet));
    assert_int_equal(sp_outbox_put(&other, &budget, piece(600 * KIB)),
                     SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_outbox_size(&other), 0);
    // What is small is put whatever others do, and counted.
    sp_budget_charge(&budget, MIB);
    assert_true(sp_budget_is_spent(&budget));
    assert_true(sp_outbox_may_take(&budget, SP_OUTBOX_WINDOW, &quiet));
    assert_int_equal(sp_outbox_put(&other, &budget, piece(SP_OUTBOX_WINDOW)),
                     SNAKEPIT_OK);
    assert_int_equal(atomic_load(&budget.used), MIB + 600 * KIB + SP_OUTBOX_WINDOW);
    sp_budget_give(&budget, MIB);
    sp_outbox_fini(&one, &budget);
    sp_outbox_fini(&other, &budget);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void without_memory_nothing_is_put(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = MIB};
    struct sp_outbox box = {.at = 0};
    sp_memory_fail_at(1);
    assert_int_equal(sp_outbox_put(&box, &budget, piece(MIB)), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_outbox_size(&box), 0);
    assert_int_equal(atomic_load(&budget.used), 0);
    // What cannot be shrunk stays as large.
    sp_memory_fail_at(0);
    assert_int_equal(sp_outbox_put(&box, &budget, piece(MIB)), SNAKEPIT_OK);
    sp_memory_fail_at(1);
    sp_outbox_sent(&box, &budget, MIB - 1);
    sp_memory_fail_at(0);
    assert_int_equal(sp_outbox_size(&box), 1);
    assert_int_equal(atomic_load(&budget.used), MIB);
    sp_outbox_fini(&box, &budget);
    assert_int_equal(atomic_load(&budget.used), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_goes_in_order),
        cmocka_unit_test(a_client_that_lags_behind_takes_no_more_and_more),
        cmocka_unit_test(what_was_read_is_given_back_before_all_is),
        cmocka_unit_test(a_large_answer_waits_only_where_there_is_room),
        cmocka_unit_test(without_memory_nothing_is_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
