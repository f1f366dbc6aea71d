// SPDX-License-Identifier: MIT
#include "api/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/openapi.h"

static char why[256];

static bool fits(enum sp_route_id route, const char *query)
{
    why[0] = '\0';
    return sp_query_fits(route, sp_slice_of_text(query), why, sizeof why);
}

static void what_a_row_takes_fits(void **state)
{
    (void)state;
    assert_true(fits(SP_ROUTE_readyz, ""));
    assert_true(fits(SP_ROUTE_readyz, "verbose"));
    assert_true(fits(SP_ROUTE_readyz, "verbose=1"));
    assert_true(fits(SP_ROUTE_readyz, "&verbose&"));
    assert_true(fits(SP_ROUTE_resize_pool, "workers=3"));
    assert_true(fits(SP_ROUTE_livez, ""));
}

static void anything_else_is_named(void **state)
{
    (void)state;
    assert_false(fits(SP_ROUTE_readyz, "verbos"));
    assert_string_equal(
        why, "there is no parameter \"verbos\" here; this path takes verbose");
    assert_false(fits(SP_ROUTE_readyz, "verbose&x=1"));
    assert_non_null(strstr(why, "\"x\""));
    assert_false(fits(SP_ROUTE_pools, "pretty"));
    assert_non_null(strstr(why, "takes none"));
    assert_false(fits(SP_ROUTE_readyz, "verbosex"));
    assert_false(fits(SP_ROUTE_readyz, "verb"));
}

static void two_of_a_name_are_refused(void **state)
{
    (void)state;
    assert_false(fits(SP_ROUTE_put_value, "ttl_ms=5&ttl_ms=6"));
    assert_string_equal(why, "there are two parameters \"ttl_ms\"; send one");
    assert_false(fits(SP_ROUTE_readyz, "verbose&&verbose"));
    assert_true(fits(SP_ROUTE_readyz, "&&verbose&&"));
}

static void a_long_name_is_cut(void **state)
{
    char query[2048];
    (void)state;
    memset(query, 'q', sizeof query - 1);
    query[sizeof query - 1] = '\0';
    assert_false(fits(SP_ROUTE_put_value, query));
    assert_true(strlen(why) < 160);
    assert_non_null(strstr(why, "takes ttl_ms"));
    assert_false(sp_query_fits(
        SP_ROUTE_put_value, sp_slice_of_text(query), why, 8)); // and fits in any room
    assert_int_equal(strlen(why), 7);
}

// Whoever adds a row tells both tables of it.
static void each_stands_in_the_interface(void **state)
{
    struct sp_openapi openapi;
    struct sp_buf out = {0};
    (void)state;
    sp_openapi_begin(&openapi, &out, SP_OPENAPI_NO_TOKENS);
    assert_int_equal(sp_openapi_end(&openapi), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&out, "", 1), SNAKEPIT_OK);
    size_t told = 0;
    size_t rows = 0;
    for (size_t route = 0; route < SP_ROUTES; route++) {
        const char *name;
        for (size_t i = 0; (name = sp_query_name((enum sp_route_id)route, i)) != NULL;
             i++) {
            struct sp_buf wanted = {0};
            assert_int_equal(
                sp_buf_printf(&wanted, "{\"name\":\"%s\",\"in\":\"query\"", name),
                SNAKEPIT_OK);
            assert_non_null(strstr((const char *)out.data, (const char *)wanted.data));
            sp_buf_fini(&wanted);
            rows++;
        }
    }
    for (const char *at = (const char *)out.data;
         (at = strstr(at, "\"in\":\"query\"")) != NULL;
         at++) {
        told++;
    }
    assert_int_equal(told, rows);
    sp_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_row_takes_fits),
        cmocka_unit_test(anything_else_is_named),
        cmocka_unit_test(two_of_a_name_are_refused),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(each_stands_in_the_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
