// SPDX-License-Identifier: MIT
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void dates_are_those_of_the_standard(void **state)
{
    (void)state;
    static const struct {
        time_t when;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SP_HTTP_DATE_SIZE + 1];
        sp_http_date_write(text, rows[i].when);
        assert_string_equal(text, rows[i].text);
    }
}

static void now_is_the_time_of_the_machine(void **state)
{
    (void)state;
    // A second may end between the two.
    time_t before = time(NULL) - 1;
    const char *now = sp_http_date_now();
    bool found = false;
    for (time_t when = before; when <= time(NULL) + 1 && !found; when++) {
        char text[SP_HTTP_DATE_SIZE + 1];
        sp_http_date_write(text, when);
        found = strcmp(text, now) == 0;
    }
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_those_of_the_standard),
        cmocka_unit_test(now_is_the_time_of_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
