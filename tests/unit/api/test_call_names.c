// SPDX-License-Identifier: MIT
#include "api/call_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static bool is_valid(const char *text)
{
    return sp_call_name_is_valid(sp_slice_of_text(text));
}

static snakepit_call_id
found(struct sp_call_names *names, const char *owner, const char *text)
{
    bool later;
    return sp_call_name_cancel(names, owner, text, &later);
}

static void
a_call_whose_number_is_not_known_yet_is_cancelled_by_whoever_says_it(void **state)
{
    (void)state;
    struct sp_call_names names;
    struct sp_call_name one = {.call = 0};
    bool later;
    sp_call_names_init(&names);
    assert_int_equal(sp_call_name_add(&names, &one, "", sp_slice_of_text("mine")),
                     SNAKEPIT_OK);
    assert_int_equal(sp_call_name_cancel(&names, "", "other", &later), 0);
    assert_false(later);
    assert_int_equal(sp_call_name_cancel(&names, "", "mine", &later), 0);
    assert_true(later);
    assert_true(sp_call_name_set(&names, &one, 99));
    assert_int_equal(sp_call_name_cancel(&names, "", "mine", &later), 99);
    assert_false(later);
    sp_call_name_remove(&names, &one);
    sp_call_names_fini(&names);
}

static void a_name_is_no_number(void **state)
{
    (void)state;
    assert_true(is_valid("a"));
    assert_true(is_valid("550e8400-e29b-41d4-a716-446655440000"));
    assert_true(is_valid("1.0_Z"));
    assert_false(is_valid(""));
    assert_false(is_valid("17"));
    assert_false(is_valid("a b"));
    assert_false(is_valid("a/b"));
    assert_false(is_valid("\xc3\xa9"));
    char text[SP_CALL_NAME_MAX + 2] = "";
    memset(text, 'a', SP_CALL_NAME_MAX);
    assert_true(is_valid(text));
    text[SP_CALL_NAME_MAX] = 'a';
    assert_false(is_valid(text));
}

static void a_call_is_found_while_it_has_its_name(void **state)
{
    (void)state;
    struct sp_call_names names;
    struct sp_call_name one = {.call = 0};
    struct sp_call_name other = {.call = 0};
    const struct sp_slice text = sp_slice_of_text("mine");
    sp_call_names_init(&names);
    assert_int_equal(found(&names, "", "mine"), 0);
    assert_int_equal(sp_call_name_add(&names, &one, "", text), SNAKEPIT_OK);
    assert_int_equal(sp_call_name_add(&names, &other, "", text), SNAKEPIT_BUSY);
    sp_call_name_remove(&names, &other); // which has none
    assert_false(sp_call_name_set(&names, &one, 99));
    assert_false(sp_call_name_set(&names, &other, 1));
    assert_int_equal(found(&names, "", "mine"), 99);
    sp_call_name_remove(&names, &one);
    sp_call_name_remove(&names, &one);
    assert_int_equal(found(&names, "", "mine"), 0);
    assert_int_equal(sp_call_name_add(&names, &other, "", text), SNAKEPIT_OK);
    sp_call_name_remove(&names, &other);
    sp_call_names_fini(&names);
}

static void each_owner_has_its_own_names(void **state)
{
    (void)state;
    struct sp_call_names names;
    struct sp_call_name of_a = {.call = 0};
    struct sp_call_name of_b = {.call = 0};
    struct sp_call_name number = {.call = 0};
    const struct sp_slice text = sp_slice_of_text("mine");
    sp_call_names_init(&names);
    assert_int_equal(sp_call_name_add(&names, &of_a, "a", text), SNAKEPIT_OK);
    assert_int_equal(sp_call_name_add(&names, &of_b, "b", text), SNAKEPIT_OK);
    assert_int_equal(sp_call_name_add(&names, &number, "a", sp_slice_of_text("17")),
                     SNAKEPIT_OK);
    assert_false(sp_call_name_set(&names, &of_a, 1));
    assert_false(sp_call_name_set(&names, &of_b, 2));
    assert_false(sp_call_name_set(&names, &number, 17));
    assert_int_equal(found(&names, "a", "mine"), 1);
    assert_int_equal(found(&names, "b", "mine"), 2);
    assert_int_equal(found(&names, "", "mine"), 0);
    assert_int_equal(found(&names, "a", "17"), 17);
    assert_int_equal(found(&names, "b", "17"), 0);
    assert_int_equal(found(&names, "a", "18"), 0);
    assert_int_equal(found(&names, "", "18"), 18);
    assert_int_equal(found(&names, "", "a:mine"), 1);
    sp_call_name_remove(&names, &of_a);
    sp_call_name_remove(&names, &of_b);
    sp_call_name_remove(&names, &number);
    sp_call_names_fini(&names);
}

static void a_number_stands_for_itself(void **state)
{
    (void)state;
    struct sp_call_names names;
    sp_call_names_init(&names);
    assert_int_equal(found(&names, "", "12345678901234567890"),
                     UINT64_C(12345678901234567890));
    assert_int_equal(found(&names, "", "99999999999999999999"), 0);
    assert_int_equal(found(&names, "", "-1"), 0);
    assert_int_equal(found(&names, "", " 1"), 0);
    assert_int_equal(found(&names, "", "1a"), 0);
    assert_int_equal(found(&names, "", ""), 0);
    sp_call_names_fini(&names);
}

static void without_memory_a_call_gets_no_name(void **state)
{
    (void)state;
    struct sp_call_names names;
    struct sp_call_name one = {.call = 0};
    sp_call_names_init(&names);
    sp_memory_fail_at(1);
    assert_int_equal(sp_call_name_add(&names, &one, "", sp_slice_of_text("a")),
                     SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_call_name_remove(&names, &one);
    sp_call_names_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_call_whose_number_is_not_known_yet_is_cancelled_by_whoever_says_it),
        cmocka_unit_test(a_name_is_no_number),
        cmocka_unit_test(a_call_is_found_while_it_has_its_name),
        cmocka_unit_test(each_owner_has_its_own_names),
        cmocka_unit_test(a_number_stands_for_itself),
        cmocka_unit_test(without_memory_a_call_gets_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
