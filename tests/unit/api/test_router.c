// SPDX-License-Identifier: MIT
#include "api/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PATH(text) sp_slice_of_text(text)

struct row {
    enum sp_method method;
    const char *path;
    enum sp_match match;
    enum sp_route_id route;
    const char *first;
    const char *second;
};

#define ROUTE(name) SP_MATCH_FOUND, SP_ROUTE_##name

static const struct row rows[] = {
    {SP_METHOD_GET, "/", ROUTE(root), "", ""},
    {SP_METHOD_GET, "/assets/style.css", ROUTE(asset), "style.css", ""},
    {SP_METHOD_HEAD, "/livez", ROUTE(livez), "", ""},
    {SP_METHOD_POST, "/v1/pools/text/tools/count", ROUTE(call), "text", "count"},
    {SP_METHOD_POST, "/v1/pools/a%2Fb/tools/%C3%A9", ROUTE(call), "a/b", "é"},
    {SP_METHOD_GET, "/v1/pools", ROUTE(pools), "", ""},
    {SP_METHOD_POST, "/v1/pools:reload", ROUTE(reload), "", ""},
    {SP_METHOD_GET, "/v1/pools/text", ROUTE(pool), "text", ""},
    {SP_METHOD_GET, "/v1/pools/text/config", ROUTE(pool_config), "text", ""},
    {SP_METHOD_POST, "/v1/pools/text:recycle", ROUTE(recycle_pool), "text", ""},
    {SP_METHOD_POST, "/v1/pools/a%3Ab:retry", ROUTE(retry_pool), "a:b", ""},
    {SP_METHOD_GET, "/v1/pools/a%3Arecycle", ROUTE(pool), "a:recycle", ""},
    {SP_METHOD_POST, "/v1/workers/17:recycle", ROUTE(recycle_worker), "17", ""},
    {SP_METHOD_GET, "/v1/sessions/user:42", ROUTE(session), "user:42", ""},
    {SP_METHOD_PUT, "/v1/sessions/s/values/k", ROUTE(put_value), "s", "k"},
    {SP_METHOD_DELETE, "/v1/sessions/s/values/k", ROUTE(delete_value), "s", "k"},
    {SP_METHOD_DELETE, "/v1/calls/12", ROUTE(cancel), "12", ""},
    {SP_METHOD_DELETE, "/v1/calls/recent", ROUTE(cancel), "recent", ""},
    {SP_METHOD_GET, "/v1/calls/recent", ROUTE(recent_calls), "", ""},
    {SP_METHOD_GET, "/v1/calls", ROUTE(calls), "", ""},
    {SP_METHOD_GET, "/v1/calls/12", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_PUT, "/v1/calls/recent", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_GET, "", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_GET, "/v2", ROUTE(inference), "", ""},
    {SP_METHOD_GET, "/v2/models/p.t", ROUTE(model), "p.t", ""},
    {SP_METHOD_GET, "/v2/models/p.t/ready", ROUTE(model_ready), "p.t", ""},
    {SP_METHOD_POST, "/v2/models/p.t/infer", ROUTE(infer), "p.t", ""},
    {SP_METHOD_POST, "/v2/models/p/versions/1/infer", ROUTE(infer_version), "p", "1"},
    {SP_METHOD_GET, "/v3", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/text/", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_GET, "//v1/pools", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_POST, "/v1/pools/:recycle", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_POST, "/v1/pools/text/tools/a/b", SP_MATCH_NO_PATH, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/text:recycle", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_PUT, "/livez", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_OTHER, "/livez", SP_MATCH_NO_METHOD, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/%", SP_MATCH_MALFORMED, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/%zz", SP_MATCH_MALFORMED, 0, "", ""},
    {SP_METHOD_GET, "/v1/pools/a%00", SP_MATCH_MALFORMED, 0, "", ""},
};

static void each_path_has_its_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        enum sp_route_id route = SP_ROUTES;
        struct sp_params params = {{""}};
        enum sp_match match =
            sp_route_find(row->method, PATH(row->path), &route, &params);
        if (match != row->match) {
            fail_msg("%s: %d", row->path, (int)match);
        }
        if (match == SP_MATCH_FOUND) {
            assert_int_equal(route, row->route);
            assert_string_equal(params.of[0], row->first);
            assert_string_equal(params.of[1], row->second);
        }
    }
}

static void a_name_that_is_too_long_is_malformed(void **state)
{
    (void)state;
    char path[600] = "/v1/pools/";
    enum sp_route_id route;
    struct sp_params params;
    memset(path + 10, 'a', 255);
    assert_int_equal(sp_route_find(SP_METHOD_GET, PATH(path), &route, &params),
                     SP_MATCH_FOUND);
    assert_int_equal(strlen(params.of[0]), 255);
    memset(path + 10, 'a', 256);
    assert_int_equal(sp_route_find(SP_METHOD_GET, PATH(path), &route, &params),
                     SP_MATCH_MALFORMED);
}

static void methods_are_those_of_the_path(void **state)
{
    (void)state;
    char room[SP_ALLOW_SIZE];
    assert_string_equal(sp_route_allowed(PATH("/livez"), room), "GET, HEAD, OPTIONS");
    assert_string_equal(sp_route_allowed(PATH("/v1/pools/a:recycle"), room),
                        "POST, OPTIONS");
    assert_string_equal(sp_route_allowed(PATH("/v1/sessions/s/values/k"), room),
                        "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_string_equal(sp_route_allowed(PATH("/nothing"), room), "");
    assert_string_equal(sp_route_allowed(PATH(""), room), "");
}

// docs/http.md has a line for each row.
static void the_page_has_each_row(void **state)
{
    static const char *const methods[] = {[SP_METHOD_GET] = "GET",
                                          [SP_METHOD_POST] = "POST",
                                          [SP_METHOD_PUT] = "PUT",
                                          [SP_METHOD_DELETE] = "DELETE"};
    static const char *const scopes[] = {[SP_ACCESS_OPEN] = "open",
                                         [SP_ACCESS_CALL] = "call",
                                         [SP_ACCESS_OBSERVE] = "observe",
                                         [SP_ACCESS_ADMIN] = "admin"};
    static char page[1 << 16];
    char line[512];
    FILE *file = fopen(SP_DOCS "/http.md", "r");
    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof page - 1, file) > 0);
    (void)fclose(file);
    for (size_t i = 0; i < SP_ROUTES; i++) {
        (void)snprintf(line,
                       sizeof line,
                       "\n| `%s %s` | %s | %s |\n",
                       methods[sp_routes[i].method],
                       sp_routes[i].pattern,
                       scopes[sp_routes[i].access],
                       sp_routes[i].summary);
        if (strstr(page, line) == NULL) {
            fail_msg("docs/http.md lacks%s", line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_row),
        cmocka_unit_test(a_name_that_is_too_long_is_malformed),
        cmocka_unit_test(methods_are_those_of_the_path),
        cmocka_unit_test(the_page_has_each_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
