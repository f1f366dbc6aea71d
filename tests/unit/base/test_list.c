// SPDX-License-Identifier: MIT
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct sp_link link;
};

static int take_number(struct sp_link *list)
{
    struct sp_link *link = sp_list_take(list);
    return link != NULL ? SP_ENTRY(link, struct item, link)->number : 0;
}

static void items_leave_in_the_order_of_the_list(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct sp_link list;
    sp_list_init(&list);
    assert_true(sp_list_empty(&list));
    sp_list_append(&list, &items[0].link);
    sp_list_append(&list, &items[1].link);
    sp_list_prepend(&list, &items[2].link);
    assert_false(sp_list_empty(&list));
    assert_int_equal(take_number(&list), 3);
    assert_int_equal(take_number(&list), 1);
    assert_int_equal(take_number(&list), 2);
    assert_int_equal(take_number(&list), 0);
    assert_true(sp_list_empty(&list));
}

static void a_link_knows_whether_it_is_in_a_list(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct sp_link list;
    sp_list_init(&list);
    assert_false(sp_link_used(&items[1].link));
    for (int i = 0; i < 3; i++) {
        sp_list_append(&list, &items[i].link);
    }
    assert_true(sp_link_used(&items[1].link));
    sp_list_remove(&items[1].link);
    assert_false(sp_link_used(&items[1].link));
    assert_int_equal(take_number(&list), 1);
    assert_int_equal(take_number(&list), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_leave_in_the_order_of_the_list),
        cmocka_unit_test(a_link_knows_whether_it_is_in_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
