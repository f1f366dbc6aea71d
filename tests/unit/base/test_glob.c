// SPDX-License-Identifier: MIT
#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *text)
{
    return sp_glob_matches(sp_slice_of_text(pattern), sp_slice_of_text(text));
}

static void a_name_matches_itself_alone(void **state)
{
    (void)state;
    assert_true(matches("worker.exit", "worker.exit"));
    assert_false(matches("worker.exit", "worker.exits"));
    assert_false(matches("worker.exit", "worker.exi"));
    assert_false(matches("Worker.exit", "worker.exit"));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_false(matches("a", ""));
}

static void a_star_stands_for_any_bytes_also_for_none(void **state)
{
    (void)state;
    assert_true(matches("*", ""));
    assert_true(matches("*", "worker.exit"));
    assert_true(matches("worker.*", "worker.exit"));
    assert_true(matches("worker.*", "worker."));
    assert_false(matches("worker.*", "worker"));
    assert_true(matches("*.exit", "worker.exit"));
    assert_true(matches("w*r.e*t", "worker.exit"));
    assert_false(matches("w*r.e*s", "worker.exit"));
    assert_true(matches("**x**", "worker.exit"));
    assert_true(matches("*ab*abc", "xabxababc"));
    assert_false(matches("*ab*abc", "xabababd"));
}

static void a_question_mark_stands_for_one_byte(void **state)
{
    (void)state;
    assert_true(matches("tool.?", "tool.a"));
    assert_false(matches("tool.?", "tool."));
    assert_false(matches("tool.?", "tool.ab"));
    assert_true(matches("?*?", "ab"));
    assert_false(matches("?*?", "a"));
}

static void many_stars_end_in_time(void **state)
{
    (void)state;
    static char pattern[4096];
    static char text[4096];
    for (size_t i = 0; i + 2 < sizeof pattern; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    memset(text, 'a', sizeof text - 1);
    assert_true(matches(pattern, text));
    pattern[sizeof pattern - 2] = 'b';
    assert_false(matches(pattern, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_matches_itself_alone),
        cmocka_unit_test(a_star_stands_for_any_bytes_also_for_none),
        cmocka_unit_test(a_question_mark_stands_for_one_byte),
        cmocka_unit_test(many_stars_end_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
