// SPDX-License-Identifier: MIT
#include "base/utc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t seconds;
    const char *written;
} times[] = {
    {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
    {"2026-11-30T10:00:01Z", 1796032801, "2026-11-30T10:00:01Z"},
    {"2028-02-29", 1835395200, "2028-02-29T00:00:00Z"},
    {"9999-12-31T23:59:59Z", 253402300799, "9999-12-31T23:59:59Z"},
};

static void times_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t seconds = -1;
        char text[SP_UTC_SIZE];
        assert_true(sp_utc_read(times[i].text, &seconds));
        assert_int_equal(seconds, times[i].seconds);
        sp_utc_write(seconds, text);
        assert_string_equal(text, times[i].written);
    }
}

static void what_is_not_a_time_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-30T10:00:00",
        "2026-11-30T10:00:00+01:00",
        "2026-11-30 10:00:00Z",
        "2026-11-3",
        "2026-11-300",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-04-31",
        "2026-11-30T24:00:00Z",
        "2026-11-30T10:60:00Z",
        "2026-11-30T10:00:60Z",
        "1969-12-31",
        "2026-11-30T10:00:00Zx",
        "-026-11-30",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t seconds = -1;
        if (sp_utc_read(texts[i], &seconds) || seconds != -1) {
            fail_msg("%s", texts[i]);
        }
    }
}

static void times_out_of_range_become_the_nearest(void **state)
{
    (void)state;
    char text[SP_UTC_SIZE];
    sp_utc_write(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    sp_utc_write(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void now_is_what_the_system_says(void **state)
{
    (void)state;
    const time_t before = time(NULL);
    const int64_t now = sp_utc_now();
    assert_true(now >= before && now <= time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(times_out_of_range_become_the_nearest),
        cmocka_unit_test(now_is_what_the_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
