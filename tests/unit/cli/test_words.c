// SPDX-License-Identifier: MIT
#include "cli/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"

// What examples/text_adapter.py gives for the same text.
static const struct {
    const char *text;
    struct sp_cli_words words;
} rows[] = {
    {"", {0, 0, 0, 0}},
    {" .,1_2\n", {0, 0, 0, 0}},
    {"a", {1, 1, 1, 1}},
    {"The the THE a", {4, 2, 10, 3}},
    {"it's its it'", {3, 3, 8, 1}},
    {"rock'n'roll", {2, 2, 9, 1}},
    {"'tis ''", {1, 1, 3, 1}},
    {"a1b a_b", {4, 2, 4, 2}},
    {"a ab abc ab", {4, 3, 8, 2}},
};

static void words_are_those_of_the_adapter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_cli_words words;
        assert_int_equal(sp_cli_count_words(sp_slice_of_text(rows[i].text), &words),
                         SNAKEPIT_OK);
        assert_int_equal(words.words, rows[i].words.words);
        assert_int_equal(words.distinct, rows[i].words.distinct);
        assert_int_equal(words.letters, rows[i].words.letters);
        assert_int_equal(words.most, rows[i].words.most);
    }
}

static void a_lack_of_memory_is_an_error(void **state)
{
    (void)state;
    struct sp_cli_words words;
    sp_memory_fail_at(1);
    assert_int_equal(sp_cli_count_words(sp_slice_of_text("a b"), &words),
                     SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_the_adapter),
        cmocka_unit_test(a_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
