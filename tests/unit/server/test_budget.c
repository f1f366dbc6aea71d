// SPDX-License-Identifier: MIT
#include "server/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "telemetry/notice.h"

#define KIB ((size_t)1024)

static size_t used(struct sp_budget *budget)
{
    return atomic_load(&budget->used);
}

static void a_body_grows_by_doubling_up_to_what_it_will_be(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 1024 * KIB};
    struct sp_counted body = {.counted = 0};
    assert_int_equal(sp_counted_grow(&body, &budget, 1, 100 * KIB), SNAKEPIT_OK);
    assert_int_equal(body.bytes.capacity, KIB);
    body.bytes.size = KIB;
    assert_int_equal(sp_counted_grow(&body, &budget, 60 * KIB, 100 * KIB), SNAKEPIT_OK);
    assert_int_equal(body.bytes.capacity, 61 * KIB);
    assert_int_equal(used(&budget), 61 * KIB);
    body.bytes.size = 61 * KIB;
    assert_int_equal(sp_counted_grow(&body, &budget, 1, 100 * KIB), SNAKEPIT_OK);
    assert_int_equal(body.bytes.capacity, 100 * KIB);
    assert_int_equal(used(&budget), 100 * KIB);
    sp_counted_forget(&body, &budget, KIB);
    assert_null(body.bytes.data);
    assert_int_equal(used(&budget), 0);
}

static void a_small_body_is_not_counted_and_stays(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 1};
    struct sp_counted body = {.counted = 0};
    assert_int_equal(sp_counted_grow(&body, &budget, 4 * KIB, 4 * KIB), SNAKEPIT_OK);
    assert_int_equal(used(&budget), 0);
    body.bytes.size = 7;
    sp_counted_forget(&body, &budget, 4 * KIB);
    assert_non_null(body.bytes.data);
    assert_int_equal(body.bytes.size, 0);
    sp_counted_forget(&body, &budget, 0);
    assert_null(body.bytes.data);
}

static void what_others_have_is_not_there(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 100 * KIB};
    struct sp_counted one = {.counted = 0};
    struct sp_counted other = {.counted = 0};
    assert_int_equal(sp_counted_grow(&one, &budget, 60 * KIB, 60 * KIB), SNAKEPIT_OK);
    assert_int_equal(sp_counted_grow(&other, &budget, 41 * KIB, 90 * KIB),
                     SNAKEPIT_AGAIN);
    assert_null(other.bytes.data);
    assert_int_equal(sp_counted_grow(&other, &budget, 40 * KIB, 90 * KIB), SNAKEPIT_OK);
    other.bytes.size = 40 * KIB;
    assert_int_equal(sp_counted_grow(&other, &budget, 1, 90 * KIB), SNAKEPIT_AGAIN);
    assert_int_equal(other.bytes.capacity, 40 * KIB);
    sp_counted_forget(&one, &budget, 0);
    assert_int_equal(sp_counted_grow(&other, &budget, 1, 90 * KIB), SNAKEPIT_OK);
    assert_int_equal(used(&budget), 80 * KIB);
    sp_counted_forget(&other, &budget, 0);
    assert_int_equal(used(&budget), 0);
}

static void what_was_taken_away_is_counted_until_it_is_forgotten(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 100 * KIB};
    struct sp_counted body = {.counted = 0};
    assert_int_equal(sp_counted_grow(&body, &budget, 50 * KIB, 50 * KIB), SNAKEPIT_OK);
    struct sp_buf taken = body.bytes;
    body.bytes = (struct sp_buf){0};
    assert_int_equal(used(&budget), 50 * KIB);
    sp_counted_forget(&body, &budget, KIB);
    assert_int_equal(used(&budget), 0);
    sp_buf_fini(&taken);
}

static void what_others_have_made_room_in_is_counted_as_it_is(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 100 * KIB};
    struct sp_counted body = {.counted = 0};
    assert_int_equal(sp_buf_reserve(&body.bytes, 60 * KIB), SNAKEPIT_OK);
    assert_int_equal(sp_counted_settle(&body, &budget), SNAKEPIT_OK);
    assert_int_equal(atomic_load(&budget.used), 60 * KIB);
    sp_budget_charge(&budget, 50 * KIB); // more than there is
    assert_int_equal(atomic_load(&budget.used), 110 * KIB);
    assert_int_equal(sp_counted_settle(&body, &budget), SNAKEPIT_OK);
    body.bytes.size = 60 * KIB;
    assert_int_equal(sp_buf_reserve(&body.bytes, 1), SNAKEPIT_OK);
    assert_int_equal(sp_counted_settle(&body, &budget), SNAKEPIT_AGAIN);
    assert_int_equal(atomic_load(&budget.used), 110 * KIB);
    sp_buf_fini(&body.bytes);
    assert_int_equal(sp_counted_settle(&body, &budget), SNAKEPIT_OK);
    assert_int_equal(atomic_load(&budget.used), 50 * KIB);
}

static void without_a_budget_there_is_no_limit(void **state)
{
    (void)state;
    struct sp_counted body = {.counted = 0};
    assert_int_equal(sp_counted_grow(&body, NULL, 100 * KIB, 100 * KIB), SNAKEPIT_OK);
    sp_counted_forget(&body, NULL, 0);
}

static void count_line(void *user, const struct sp_notice *notice)
{
    assert_string_equal(notice->kind->name, "serve.full");
    ++*(int *)user;
}

static void that_it_is_spent_is_told_once_in_ten_seconds(void **state)
{
    (void)state;
    int lines = 0;
    const struct sp_log log = {
        .write = count_line, .user = &lines, .level = SP_LOG_WARNING};
    struct sp_budget budget = {.most = 1};
    sp_budget_tell(&budget, &log, SP_NS_PER_S);
    assert_int_equal(lines, 1);
    sp_budget_tell(&budget, &log, 11 * SP_NS_PER_S - 1);
    assert_int_equal(lines, 1);
    sp_budget_tell(&budget, &log, 11 * SP_NS_PER_S);
    assert_int_equal(lines, 2);
}

static void without_memory_nothing_is_counted(void **state)
{
    (void)state;
    struct sp_budget budget = {.most = 100 * KIB};
    struct sp_counted body = {.counted = 0};
    sp_memory_fail_at(1);
    snakepit_err err = sp_counted_grow(&body, &budget, 50 * KIB, 50 * KIB);
    sp_memory_fail_at(0);
    assert_int_equal(err, SNAKEPIT_NO_MEMORY);
    assert_int_equal(used(&budget), 0);
}

static const struct {
    uint64_t ms;
    uint64_t bytes;
    uint64_t rate;
    bool keeps;
} paces[] = {
    {0, 0, 500, true},
    {30000, 0, 500, true},
    {30999, 499, 500, true},
    {31000, 499, 500, false},
    {31000, 500, 500, true},
    {60000, 14999, 500, false},
    {60000, 15000, 500, true},
    {86400000, 1, 0, true},
    {86400000, UINT64_C(1) << 32, 1 << 20, false},
};

static void a_body_has_its_grace_and_more_for_each_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paces / sizeof paces[0]; i++) {
        if (sp_budget_keeps_pace(
                paces[i].ms * SP_NS_PER_MS, paces[i].bytes, 30000, paces[i].rate) !=
            paces[i].keeps) {
            fail_msg("row %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_grows_by_doubling_up_to_what_it_will_be),
        cmocka_unit_test(a_small_body_is_not_counted_and_stays),
        cmocka_unit_test(what_others_have_is_not_there),
        cmocka_unit_test(what_was_taken_away_is_counted_until_it_is_forgotten),
        cmocka_unit_test(what_others_have_made_room_in_is_counted_as_it_is),
        cmocka_unit_test(without_a_budget_there_is_no_limit),
        cmocka_unit_test(that_it_is_spent_is_told_once_in_ten_seconds),
        cmocka_unit_test(without_memory_nothing_is_counted),
        cmocka_unit_test(a_body_has_its_grace_and_more_for_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
