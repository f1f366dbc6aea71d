// SPDX-License-Identifier: MIT
#include "server/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *const two[] = {(char[]){"math"}, (char[]){"text"}};
static const struct sp_texts two_pools = {.items = (char **)(uintptr_t)two, .count = 2};

#define ALL(access) {"a", (access), NULL, NULL}
#define TWO(access) {"a", (access), &two_pools, NULL}

struct row {
    struct sp_grant grant;
    enum sp_access wanted;
    const char *pool;
    bool allows;
};

static const struct row rows[] = {
    {ALL(SP_ACCESS_ALL), SP_ACCESS_ADMIN, "math", true},
    {ALL(SP_ACCESS_ALL), SP_ACCESS_CALL, NULL, true},
    {ALL(SP_ACCESS_CALL), SP_ACCESS_CALL, "any", true},
    {ALL(SP_ACCESS_CALL), SP_ACCESS_OBSERVE, "any", false},
    {ALL(SP_ACCESS_CALL), SP_ACCESS_ADMIN, NULL, false},
    {ALL(SP_ACCESS_ADMIN), SP_ACCESS_CALL, "any", false},
    {ALL(SP_ACCESS_ADMIN), SP_ACCESS_OBSERVE, "any", false},
    {ALL(SP_ACCESS_OBSERVE), SP_ACCESS_OPEN, NULL, true},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, "math", true},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, "text", true},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, NULL, true},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, "tex", false},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, "text2", false},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_CALL, "", false},
    {TWO(SP_ACCESS_CALL), SP_ACCESS_ADMIN, "math", false},
};

static void a_grant_allows_what_it_names_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (sp_grant_allows(&rows[i].grant, rows[i].wanted, rows[i].pool) !=
            rows[i].allows) {
            fail_msg("row %zu", i);
        }
    }
}

static void a_grant_for_some_tools_allows_these_alone(void **state)
{
    (void)state;
    char *const names[] = {
        (char[]){"math.add"}, (char[]){"text.*"}, (char[]){"a.b.get_*"}};
    const struct sp_texts tools = {.items = (char **)(uintptr_t)names, .count = 3};
    const struct sp_grant some = {"a", SP_ACCESS_CALL, NULL, &tools};
    const struct sp_grant all = ALL(SP_ACCESS_CALL);
    const struct {
        const char *pool;
        const char *tool;
        bool allows;
    } wanted[] = {{"math", "add", true},
                  {"math", "adder", false},
                  {"math", "ad", false},
                  {"math", "", false},
                  {"mat", "h.add", false},
                  {"math.add", "", false},
                  {"text", "any", true},
                  {"text", "", true},
                  {"tex", "any", false},
                  {"text2", "any", false},
                  {"a.b", "get_x", true},
                  {"a.b", "get", false},
                  {"a", "b.get_x", true}, // another pool of that name would be as good
                  {"", "add", false}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (sp_grant_allows_tool(&some, wanted[i].pool, wanted[i].tool) !=
            wanted[i].allows) {
            fail_msg("row %zu", i);
        }
        assert_true(sp_grant_allows_tool(&all, wanted[i].pool, wanted[i].tool));
    }
}

static void what_touches_all_pools_takes_a_grant_for_all(void **state)
{
    (void)state;
    const struct sp_grant all = ALL(SP_ACCESS_ADMIN);
    const struct sp_grant some = TWO(SP_ACCESS_ADMIN);
    const struct sp_grant less = ALL(SP_ACCESS_CALL);
    assert_true(sp_grant_allows_all(&all, SP_ACCESS_ADMIN));
    assert_false(sp_grant_allows_all(&some, SP_ACCESS_ADMIN));
    assert_false(sp_grant_allows_all(&less, SP_ACCESS_ADMIN));
}

static void sessions_of_a_grant_for_some_pools_are_its_own(void **state)
{
    (void)state;
    char room[SP_GRANT_SESSION_SIZE];
    char long_name[SP_GRANT_SESSION_SIZE];
    const struct sp_grant all = ALL(SP_ACCESS_CALL);
    const struct sp_grant some = TWO(SP_ACCESS_CALL);
    assert_string_equal(sp_grant_session(&all, "user:42", room), "user:42");
    assert_string_equal(sp_grant_session(&some, "user:42", room), "a:user:42");
    memset(long_name, 'x', sizeof long_name);
    long_name[253] = '\0';
    assert_string_equal(sp_grant_session(&some, long_name, room) + 2, long_name);
    long_name[253] = 'x';
    long_name[254] = '\0';
    assert_null(sp_grant_session(&some, long_name, room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_allows_what_it_names_and_nothing_else),
        cmocka_unit_test(a_grant_for_some_tools_allows_these_alone),
        cmocka_unit_test(what_touches_all_pools_takes_a_grant_for_all),
        cmocka_unit_test(sessions_of_a_grant_for_some_pools_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
