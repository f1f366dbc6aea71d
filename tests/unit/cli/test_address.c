// SPDX-License-Identifier: MIT
#include "cli/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *shown;
    const char *base;
    const char *socket;
    bool secure;
    bool local;
} good[] = {
    {"http://127.0.0.1:8470",
     "http://127.0.0.1:8470",
     "http://127.0.0.1:8470",
     "",
     false,
     true},
    {"http://127.0.0.1:8470/",
     "http://127.0.0.1:8470",
     "http://127.0.0.1:8470",
     "",
     false,
     true},
    {"https://example.org",
     "https://example.org",
     "https://example.org",
     "",
     true,
     false},
    {"https://example.org/pit//",
     "https://example.org/pit",
     "https://example.org/pit",
     "",
     true,
     false},
    {"HTTP://LocalHost:1", "HTTP://LocalHost:1", "HTTP://LocalHost:1", "", false, true},
    {"http://[::1]:8470", "http://[::1]:8470", "http://[::1]:8470", "", false, true},
    {"http://[fe80::1]:8470",
     "http://[fe80::1]:8470",
     "http://[fe80::1]:8470",
     "",
     false,
     false},
    {"http://127.evil.org",
     "http://127.evil.org",
     "http://127.evil.org",
     "",
     false,
     false},
    {"http://localhost.evil.org",
     "http://localhost.evil.org",
     "http://localhost.evil.org",
     "",
     false,
     false},
    {"http://10.0.0.1", "http://10.0.0.1", "http://10.0.0.1", "", false, false},
    {"unix:/run/x.sock",
     "unix:/run/x.sock",
     "http://localhost",
     "/run/x.sock",
     false,
     true},
};

static void an_address_says_where_and_whether_it_is_near(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct sp_cli_address address;
        snakepit_message why = {.text = ""};
        assert_int_equal(sp_cli_address_read(good[i].text, &address, &why),
                         SNAKEPIT_OK);
        assert_string_equal(address.shown, good[i].shown);
        assert_string_equal(address.base, good[i].base);
        assert_string_equal(address.socket, good[i].socket);
        assert_int_equal(address.secure, good[i].secure);
        assert_int_equal(address.local, good[i].local);
    }
}

static const struct {
    const char *text;
    const char *why;
} bad[] = {
    {"", "how to reach it"},
    {"127.0.0.1:8470", "how to reach it"},
    {"localhost", "how to reach it"},
    {"ftp://x", "how to reach it"},
    {"/run/x.sock", "how to reach it"},
    {"unix:x.sock", "\"unix:x.sock\" has a relative path; give an absolute one; "},
    {"unix://run/../x", NULL}, // a path, if an odd one
    {"http://", "no host"},
    {"http://:8470", "no host"},
    {"http://[::1", "no host"},
    {"http://x:", "port"},
    {"http://x:port", "port"},
    {"http://x:123456", "port"},
    {"http://me:secret@x", "password"},
    {"http://x/?a=1", "query"},
    {"http://x#y", "query"},
    {"http://x/a b", "character"},
    {"http://x/\r\nHost: y", "character"},
    {"http://\xc3\xa9.org", "character"},
};

static void a_slip_is_told_with_what_an_address_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sp_cli_address address;
        snakepit_message why = {.text = ""};
        snakepit_err err = sp_cli_address_read(bad[i].text, &address, &why);
        if (bad[i].why == NULL) {
            assert_int_equal(err, SNAKEPIT_OK);
            continue;
        }
        assert_int_equal(err, SNAKEPIT_INVALID_ARGUMENT);
        if (strstr(why.text, bad[i].why) == NULL) {
            fail_msg("%s: %s", bad[i].text, why.text);
        }
        assert_non_null(strstr(why.text, "an address is http://HOST:PORT"));
    }
}

static void what_is_too_long_is_refused(void **state)
{
    char text[4096];
    struct sp_cli_address address;
    snakepit_message why = {.text = ""};
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memcpy(text, "http://", 7);
    assert_int_equal(sp_cli_address_read(text, &address, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    memcpy(text, "unix:/", 6);
    text[200] = '\0';
    assert_int_equal(sp_cli_address_read(text, &address, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "107 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_says_where_and_whether_it_is_near),
        cmocka_unit_test(a_slip_is_told_with_what_an_address_is),
        cmocka_unit_test(what_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
