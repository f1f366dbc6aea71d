// SPDX-License-Identifier: MIT
#include "server/users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define COUNT(items) (sizeof(items) / sizeof(items)[0])

static void names_and_numbers_are_found(void **state)
{
    (void)state;
    char texts[][16] = {"root", "4294967294", "007"};
    char *items[] = {texts[0], texts[1], texts[2]};
    const struct sp_texts names = {items, COUNT(items)};
    snakepit_message why = {{0}};
    struct sp_users *users = NULL;
    assert_int_equal(sp_users_find(&names, &users, &why), SNAKEPIT_OK);
    assert_true(sp_users_has(users, 0));
    assert_true(sp_users_has(users, 7));
    assert_true(sp_users_has(users, UINT32_MAX - 1));
    assert_false(sp_users_has(users, 1));
    assert_false(sp_users_has(users, UINT32_MAX));
    sp_users_free(users);
}

static void what_is_no_user_is_named(void **state)
{
    (void)state;
    static struct {
        char name[32];
        const char *because;
    } rows[] = {
        {"no such user", "[1]: this machine has no user \"no such user\"; make it, or"},
        {"-1", "[1]: this machine has no user \"-1\""},
        {"", "[1]: expected the name of a user, or a number from 0 to 4294967294"},
        {"4294967295", "[1]: expected the name of a user, or a number from 0"},
        {"99999999999999999999999", "[1]: expected the name of a user, or a number"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char first[] = "0";
        char *items[] = {first, rows[i].name};
        const struct sp_texts names = {items, COUNT(items)};
        snakepit_message why = {{0}};
        struct sp_users *users = NULL;
        assert_int_equal(sp_users_find(&names, &users, &why), SNAKEPIT_INVALID_CONFIG);
        assert_null(users);
        if (strstr(why.text, rows[i].because) != why.text) {
            fail_msg("%s", why.text);
        }
    }
}

static void without_memory_there_are_none(void **state)
{
    (void)state;
    char root[] = "root";
    char *items[] = {root};
    const struct sp_texts names = {items, 1};
    snakepit_message why = {{0}};
    struct sp_users *users = NULL;
    for (long n = 1; n <= 2; n++) {
        sp_memory_fail_at(n);
        assert_int_equal(sp_users_find(&names, &users, &why), SNAKEPIT_NO_MEMORY);
        assert_null(users);
    }
    sp_memory_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_found),
        cmocka_unit_test(what_is_no_user_is_named),
        cmocka_unit_test(without_memory_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
