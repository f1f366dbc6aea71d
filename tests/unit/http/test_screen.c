// SPDX-License-Identifier: MIT
#include "http/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char app[] = "https://app.example.com";
static char six[] = "http://[2001:db8::1]:80";
static char *names[] = {app, six};
static const struct sp_texts named = {names, 2};
static const struct sp_texts none = {NULL, 0};

static bool origin(const char *text, const struct sp_texts *origins)
{
    return sp_origin_is_named(sp_slice_of_text(text), origins);
}

static void an_origin_is_named_or_strange(void **state)
{
    (void)state;
    assert_true(origin("https://app.example.com", &named));
    assert_false(origin("HTTPS://APP.example.com", &named)); // no browser says that
    assert_false(origin("http://app.example.com", &named));
    assert_false(origin("https://app.example.com.evil.org", &named));
    assert_false(origin("https://app.example.com:8443", &named));
    assert_false(origin("null", &named));
    assert_false(origin("", &named));
    assert_false(origin("https://app.example.com", &none));
}

static bool is_own(const char *origin_text, bool secure, const char *host_text)
{
    return sp_origin_is_own(
        sp_slice_of_text(origin_text), secure, sp_slice_of_text(host_text));
}

static void a_page_of_the_daemon_is_no_stranger(void **state)
{
    (void)state;
    assert_true(is_own("http://127.0.0.1:8470", false, "127.0.0.1:8470"));
    assert_false(is_own("http://127.0.0.1:8471", false, "127.0.0.1:8470"));
    assert_false(is_own("https://127.0.0.1:8470", false, "127.0.0.1:8470"));
    assert_true(is_own("https://a:1", true, "A:1"));
    assert_false(is_own("null", false, "null"));
    assert_false(is_own("http://", false, ""));
}

static bool host(const char *text, const char *bound)
{
    return sp_host_is_ours(sp_slice_of_text(text), bound, &named);
}

static void a_host_is_ours_or_rebound(void **state)
{
    (void)state;
    static const char *const ours[] = {"localhost",
                                       "LOCALHOST:8470",
                                       "a.localhost:1",
                                       "127.0.0.1",
                                       "127.0.0.1:8470",
                                       "127.200.3.4:1",
                                       "[::1]",
                                       "[::1]:8470",
                                       "app.example.com",
                                       "app.example.com:8470",
                                       "[2001:db8::1]:9",
                                       ""};
    static const char *const others[] = {"evil.org",
                                         "evil.org:8470",
                                         "localhost.evil.org",
                                         ".localhost",
                                         "notlocalhost",
                                         "127.0.0.1.evil.org",
                                         "128.0.0.1",
                                         "0.0.0.0",
                                         "[::1",
                                         "[",
                                         "[]",
                                         ":8470",
                                         "[::2]:8470",
                                         "x.app.example.com"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_true(host(ours[i], "127.0.0.1:8470"));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (host(others[i], "127.0.0.1:8470")) {
            fail_msg("%s", others[i]);
        }
    }
    assert_true(host("10.1.2.3", "10.1.2.3:80"));
    char long_one[300] = "";
    memset(long_one, '1', sizeof long_one - 1);
    assert_false(host(long_one, "127.0.0.1:8470"));
    assert_true(sp_host_is_ours((struct sp_slice){NULL, 0}, "127.0.0.1:1", &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_named_or_strange),
        cmocka_unit_test(a_page_of_the_daemon_is_no_stranger),
        cmocka_unit_test(a_host_is_ours_or_rebound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
