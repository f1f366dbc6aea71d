// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 8

// What is typed, and what it says when it is wrong; NULL: it is right.
struct row {
    enum sp_cli_command_id command;
    const char *words[WORDS_MAX];
    const char *why;
};

static snakepit_err
parse(const struct row *row, struct sp_cli_args *args, snakepit_message *why)
{
    char *words[WORDS_MAX];
    size_t count = 0;
    while (count < WORDS_MAX && row->words[count] != NULL) {
        words[count] = (char *)(uintptr_t)row->words[count];
        count++;
    }
    return sp_cli_parse(row->command, words, count, args, why);
}

static const struct row rows[] = {
    {SP_CLI_CHECK, {"a.yaml"}, NULL},
    {SP_CLI_CHECK, {"a.yaml", "--json"}, NULL},
    {SP_CLI_CHECK, {"--json", "a.yaml"}, NULL},
    {SP_CLI_CHECK, {"--", "--json"}, NULL},
    {SP_CLI_CHECK, {"-"}, NULL},
    {SP_CLI_CHECK, {"--help"}, NULL},
    {SP_CLI_CHECK, {"-h"}, NULL},
    {SP_CLI_CALL, {"--help"}, NULL},
    {SP_CLI_CALL, {"p", "t"}, NULL},
    {SP_CLI_CALL, {"p", "t", "-", "--config", "f"}, NULL},
    {SP_CLI_CALL, {"--config=f", "p", "t", "{}", "--timeout=1"}, NULL},
    {SP_CLI_CALL, {"p", "t", "--timeout", "86400000"}, NULL},
    {SP_CLI_CALL, {"p", "t", "--session=--x"}, NULL},
    {SP_CLI_CHECK, {NULL}, "check needs FILE"},
    {SP_CLI_CHECK, {"a", "b"}, "check takes no argument \"b\""},
    {SP_CLI_CHECK, {"a", "--", "-b"}, "check takes no argument \"-b\""},
    {SP_CLI_CHECK, {"a", "--jsno"}, "check has no option --jsno; did you mean --json?"},
    {SP_CLI_CHECK, {"a", "--json=1"}, "--json takes no value"},
    {SP_CLI_CHECK, {"a", "--frob=1"}, "check has no option --frob"},
    {SP_CLI_CHECK, {"a", "--config", "f"}, "check has no option --config"},
    {SP_CLI_CHECK, {"a", "-x"}, "check has no option -x"},
    {SP_CLI_CHECK, {"a", "--="}, "check has no option --"},
    {SP_CLI_CALL,
     {"p"},
     "call needs POOL TOOL [JSON|-] --config FILE | --connect ADDRESS"},
    {SP_CLI_CALL,
     {"p", "t", "--confg", "f"},
     "call has no option --confg; did you mean --config?"},
    {SP_CLI_CALL,
     {"p", "t", "--time=1"},
     "call has no option --time; did you mean --timeout?"},
    {SP_CLI_CALL, {"p", "t", "--config"}, "--config needs a value: --config FILE"},
    {SP_CLI_CALL, {"p", "t", "--config="}, "--config needs a value: --config FILE"},
    {SP_CLI_CALL, {"p", "t", "--config", ""}, "--config needs a value: --config FILE"},
    {SP_CLI_CALL,
     {"p", "t", "--config", "--json"},
     "--config needs a value: --config FILE"},
    {SP_CLI_CALL,
     {"p", "t", "--timeout", "0"},
     "--timeout takes a whole number from 1 to 86400000, not \"0\""},
    {SP_CLI_CALL,
     {"p", "t", "--timeout=86400001"},
     "--timeout takes a whole number from 1 to 86400000, not \"86400001\""},
    {SP_CLI_CALL,
     {"p", "t", "--timeout=99999999999999999999999"},
     "--timeout takes a whole number from 1 to 86400000, not "
     "\"99999999999999999999999\""},
    {SP_CLI_CALL,
     {"p", "t", "--timeout", "-5"},
     "--timeout takes a whole number from 1 to 86400000, not \"-5\""},
    {SP_CLI_CALL,
     {"p", "t", "--timeout", "1s"},
     "--timeout takes a whole number from 1 to 86400000, not \"1s\""},
    {SP_CLI_CALL,
     {"p", "t", "--timeout", " 1"},
     "--timeout takes a whole number from 1 to 86400000, not \" 1\""},
    {SP_CLI_PYTHON, {"a"}, "python takes no argument \"a\""},
    {SP_CLI_HELP, {"a", "b"}, "help takes no argument \"b\""},
};

static void each_row_says_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_cli_args args;
        snakepit_message why = {.text = ""};
        snakepit_err err = parse(&rows[i], &args, &why);
        assert_string_equal(why.text, rows[i].why != NULL ? rows[i].why : "");
        assert_int_equal(err,
                         rows[i].why != NULL ? SNAKEPIT_INVALID_ARGUMENT : SNAKEPIT_OK);
    }
}

static void values_reach_their_options(void **state)
{
    (void)state;
    const struct row row = {
        SP_CLI_CALL,
        {"p", "--config=a=b", "t", "--timeout", "250", "-", "--session=--x", "--json"},
        NULL};
    struct sp_cli_args args;
    snakepit_message why;
    assert_int_equal(parse(&row, &args, &why), SNAKEPIT_OK);
    assert_int_equal(args.count, 3);
    assert_string_equal(args.words[0], "p");
    assert_string_equal(args.words[1], "t");
    assert_string_equal(args.words[2], "-");
    assert_string_equal(args.texts[SP_CLI_CALL_CONFIG], "a=b");
    assert_string_equal(args.texts[SP_CLI_CALL_SESSION], "--x");
    assert_string_equal(args.texts[SP_CLI_CALL_JSON], "");
    assert_int_equal(args.numbers[SP_CLI_CALL_TIMEOUT], 250);
    assert_null(args.texts[SP_CLI_CHECK_JSON]);
    assert_null(args.texts[SP_CLI_ANY_HELP]);
}

static void the_last_of_the_same_option_counts(void **state)
{
    (void)state;
    const struct row row = {
        SP_CLI_CALL, {"p", "t", "--config", "a", "--config=b"}, NULL};
    struct sp_cli_args args;
    snakepit_message why;
    assert_int_equal(parse(&row, &args, &why), SNAKEPIT_OK);
    assert_string_equal(args.texts[SP_CLI_CALL_CONFIG], "b");
}

static void an_option_longer_than_any_is_unknown(void **state)
{
    (void)state;
    char word[300];
    memset(word, 'x', sizeof(word));
    memcpy(word, "--", 2);
    word[sizeof(word) - 1] = '\0';
    const struct row row = {SP_CLI_CHECK, {"a", word}, NULL};
    struct sp_cli_args args;
    snakepit_message why;
    assert_int_equal(parse(&row, &args, &why), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "check has no option --xxx"));
}

// Help prints a command's options in columns of fixed width, and a name twice would
// hide one.
static void every_row_of_the_table_can_be_shown(void **state)
{
    (void)state;
    for (int i = 0; i < SP_CLI_OPTIONS; i++) {
        const struct sp_cli_option *option = sp_cli_option_at((enum sp_cli_option_id)i);
        assert_true(option->name[0] != '\0' && strlen(option->name) < 16);
        assert_true((option->value == NULL) == (option->kind == SP_CLI_FLAG));
        assert_true(option->kind != SP_CLI_NUMBER ||
                    option->minimum <= option->maximum);
        for (int j = 0; j < i; j++) {
            const struct sp_cli_option *other =
                sp_cli_option_at((enum sp_cli_option_id)j);
            assert_true(other->command != option->command ||
                        strcmp(other->name, option->name) != 0);
        }
    }
    for (int id = 0; id < SP_CLI_COMMANDS; id++) {
        const struct sp_cli_command *command =
            sp_cli_command_at((enum sp_cli_command_id)id);
        assert_int_equal(sp_cli_command_find(command->name), id);
        assert_true(strlen(command->name) < 16);
        assert_true(command->least <= command->most && command->most <= 4);
        assert_int_equal(command->text[strlen(command->text) - 1], '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_says_what_it_should),
        cmocka_unit_test(values_reach_their_options),
        cmocka_unit_test(the_last_of_the_same_option_counts),
        cmocka_unit_test(an_option_longer_than_any_is_unknown),
        cmocka_unit_test(every_row_of_the_table_can_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
