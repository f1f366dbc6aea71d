// SPDX-License-Identifier: MIT
#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_slice(struct sp_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

static void targets_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *path;
        const char *query;
        const char *authority; // NULL: none
    } rows[] = {
        {"/", "/", "", NULL},
        {"/v1/pools/a%20b/tools/c", "/v1/pools/a%20b/tools/c", "", NULL},
        {"/v1/pools/p:recycle?x=1&y=%2F?", "/v1/pools/p:recycle", "x=1&y=%2F?", NULL},
        {"/a?", "/a", "", NULL},
        {"/a?b[c]={d}|^`", "/a", "b[c]={d}|^`", NULL},
        {"//a", "//a", "", NULL},
        {"*", "*", "", NULL},
        {"http://h", "/", "", "h"},
        {"http://h:80/a?b", "/a", "b", "h:80"},
        {"HTTPS://[::1]:8470/a", "/a", "", "[::1]:8470"},
        {"http://h?a=/b", "/", "a=/b", "h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_target target;
        assert_true(sp_target_read(sp_slice_of_text(rows[i].text), &target));
        check_slice(target.path, rows[i].path);
        check_slice(target.query, rows[i].query);
        assert_int_equal(target.authority.data != NULL, rows[i].authority != NULL);
        if (rows[i].authority != NULL) {
            check_slice(target.authority, rows[i].authority);
        }
    }
}

static void what_is_no_target_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           "a",           "a/b",        "*a",          "**",
        "/a b",       "/a#b",        "/a\"b",      "/a<b>",       "/a\\b",
        "/a|b",       "/a[b]",       "/\x7f",      "/\xc3\xa4",   "/a\tb",
        "/%",         "/%4",         "/%4g",       "/%g4",        "/%00",
        "/a?%00",     "/a?%",        "/a?b#c",     "/a?\x01",     "/a?\xff",
        "http:/a",    "http://",     "http:///a",  "http://?a",   "ftp://h/",
        "http://u@h", "http://h:x/", "http://[::", "http://h\\/", "://h/",
        "host:443",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_target target;
        assert_false(sp_target_read(sp_slice_of_text(rows[i]), &target));
    }
}

static void a_host_is_a_name_or_a_number_and_perhaps_a_port(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "localhost",
        "127.0.0.1:8470",
        "a.b-c_d:1",
        "[::1]",
        "[::ffff:1.2.3.4]:65535",
        "h:",
        "run%2Fsnakepit.sock",
    };
    static const char *const bad[] = {
        ":80", "h:x",  "h:123456", "h:1:2",   "u@h",   "h/a", "h?",
        "h h", "[::1", "[]",       "[::1]x",  "[:g:]", "::1", "h\x80",
        "a%4", "a%",   "%00",      "[%41::]", "a,b",   "a;b", "[::1]:1x",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sp_target_host_is_valid(sp_slice_of_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sp_target_host_is_valid(sp_slice_of_text(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_taken_apart),
        cmocka_unit_test(what_is_no_target_is_refused),
        cmocka_unit_test(a_host_is_a_name_or_a_number_and_perhaps_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
