// SPDX-License-Identifier: MIT
#include "base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const commands[] = {"call",
                                       "check",
                                       "check-adapter",
                                       "config",
                                       "demo",
                                       "help",
                                       "new-adapter",
                                       "python",
                                       "version"};

static const struct {
    const char *word;
    const char *meant;
} rows[] = {
    {"check", "check"},
    {"chekc", "check"},   // two letters swapped
    {"chck", "check"},    // one dropped
    {"checck", "check"},  // one too many
    {"chack", "check"},   // one changed
    {"conf", "config"},   // the beginning
    {"py", "python"},     // the beginning
    {"pyhton", "python"}, // two letters swapped
    {"deom", "demo"},     // two letters swapped
    {"hlep", "help"},     // two letters swapped
    {"serve", NULL},      // nothing like it
    {"c", NULL},          // one letter may be anything
    {"", NULL},           // nothing may be anything
    {"ca", "call"},       // the first that begins so
    {"zzzzzz", NULL},
};

static void each_slip_finds_its_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found =
            sp_suggest(rows[i].word, commands, sizeof commands / sizeof commands[0]);
        assert_string_equal(found != NULL ? found : "nothing",
                            rows[i].meant != NULL ? rows[i].meant : "nothing");
    }
}

static void missing_names_are_skipped(void **state)
{
    (void)state;
    const char *const names[] = {NULL, "timeout", NULL};
    assert_string_equal(sp_suggest("timeuot", names, 3), "timeout");
    assert_null(sp_suggest("timeuot", names, 1));
    assert_null(sp_suggest("timeuot", names, 0));
}

static void words_and_names_of_any_length_are_fine(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *const names[] = {longer, "aaa"};
    assert_null(sp_suggest(longer, names, 2));
    assert_string_equal(sp_suggest("aaa", names, 2), "aaa");
    for (size_t length = 60; length < 66; length++) {
        longer[length] = '\0';
        const char *found = sp_suggest(longer, names, 1);
        assert_true(found == NULL || length < 64);
        longer[length] = 'a';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slip_finds_its_command),
        cmocka_unit_test(missing_names_are_skipped),
        cmocka_unit_test(words_and_names_of_any_length_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
