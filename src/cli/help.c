// SPDX-License-Identifier: MIT
// snakepit help: the tables of commands, options and exit codes, for a terminal or as
// Markdown.
#include "cli/help.h"

#include <string.h>

#include "cli/output.h"
#include "cli/text.h"

#define COLUMNS 80u

static const char purpose[] = "Runs pools of Python workers over shared memory for "
                              "programs that are not Python.\n";

static const char manners[] =
    "Results go to standard output, everything else to standard error. Output into a "
    "pipe\n"
    "that is closed ends quietly. Ctrl-C stops the workers and exits with 130; a "
    "second\n"
    "Ctrl-C does not wait for them. --version prints the version.\n";

// Prints `text` broken at blanks; the lines after the first begin with `indent` blanks.
static void print_wrapped(struct sp_cli *cli, size_t indent, const char *text)
{
    size_t column = indent;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > indent && column + 1 + word > COLUMNS) {
            sp_cli_print(cli, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            sp_cli_print(cli, " ");
            column++;
        }
        sp_cli_write(cli, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    sp_cli_print(cli, "\n");
}

// Prints a row of two columns; the second one begins at column `width`, on a line of
// its own where the first one is too long.
static void
print_row(struct sp_cli *cli, size_t width, const char *left, const char *right)
{
    bool fits = strlen(left) + 3 <= width;
    sp_cli_print(cli, "  %-*s", (int)width - 2, left);
    if (!fits) {
        sp_cli_print(cli, "\n%*s", (int)width, "");
    }
    print_wrapped(cli, width, right);
}

static void print_usage(struct sp_cli *cli, const struct sp_cli_command *command)
{
    bool takes = command->arguments[0] != '\0';
    sp_cli_print(cli,
                 "snakepit %s%s%s [OPTION...]\n",
                 command->name,
                 takes ? " " : "",
                 command->arguments);
}

// "--timeout MS" into `room`.
static void format_option(const struct sp_cli_option *option, char *room, size_t size)
{
    sp_cli_format(room,
                  size,
                  "--%s%s%s",
                  option->name,
                  option->value != NULL ? " " : "",
                  option->value != NULL ? option->value : "");
}

void sp_cli_print_overview(struct sp_cli *cli)
{
    sp_cli_print(
        cli, "usage: snakepit COMMAND [ARGUMENT...] [OPTION...]\n\n%s\n", purpose);
    sp_cli_print(cli, "commands:\n");
    for (int id = 0; id < SP_CLI_COMMANDS; id++) {
        const struct sp_cli_command *command =
            sp_cli_command_at((enum sp_cli_command_id)id);
        print_row(cli, 18, command->name, command->summary);
    }
    sp_cli_print(cli, "\nexit codes:\n");
    const struct sp_cli_exit_row *row = NULL;
    for (size_t i = 0; (row = sp_cli_exit_at(i)) != NULL; i++) {
        char code[8];
        sp_cli_format(code, sizeof(code), "%d", row->code);
        print_row(cli, 8, code, row->text);
    }
    print_row(cli, 8, "128+n", "signal n ended it");
    sp_cli_print(cli, "\n%s", manners);
}

void sp_cli_print_command(struct sp_cli *cli, enum sp_cli_command_id id)
{
    const struct sp_cli_command *command = sp_cli_command_at(id);
    sp_cli_print(cli, "usage: ");
    print_usage(cli, command);
    sp_cli_print(cli, "\n%s\noptions:\n", command->text);
    for (int i = 0; i < SP_CLI_OPTIONS; i++) {
        const struct sp_cli_option *option = sp_cli_option_at((enum sp_cli_option_id)i);
        if (sp_cli_option_is_of(option, id)) {
            char left[64];
            format_option(option, left, sizeof(left));
            print_row(cli, 18, left, option->help);
        }
    }
}

static void reference_of_command(struct sp_cli *cli, enum sp_cli_command_id id)
{
    const struct sp_cli_command *command = sp_cli_command_at(id);
    sp_cli_print(cli, "\n## snakepit %s\n\n    ", command->name);
    print_usage(cli, command);
    sp_cli_print(cli, "\n%s\n| option | |\n| --- | --- |\n", command->text);
    for (int i = 0; i < SP_CLI_OPTIONS; i++) {
        const struct sp_cli_option *option = sp_cli_option_at((enum sp_cli_option_id)i);
        if (sp_cli_option_is_of(option, id)) {
            char left[64];
            format_option(option, left, sizeof(left));
            sp_cli_print(cli, "| `%s` | %s |\n", left, option->help);
        }
    }
}

void sp_cli_print_reference(struct sp_cli *cli)
{
    sp_cli_print(
        cli,
        "<!-- Made by `snakepit help --reference` from src/cli/commands.def and "
        "exits.def. -->\n\n# The command\n\n%s\n%s",
        purpose,
        manners);
    for (int id = 0; id < SP_CLI_COMMANDS; id++) {
        reference_of_command(cli, (enum sp_cli_command_id)id);
    }
    sp_cli_print(cli, "\n## Exit codes\n\n| code | |\n| --- | --- |\n");
    const struct sp_cli_exit_row *row = NULL;
    for (size_t i = 0; (row = sp_cli_exit_at(i)) != NULL; i++) {
        sp_cli_print(cli, "| %d | %s |\n", row->code, row->text);
    }
    sp_cli_print(cli, "| 128 + n | ended by signal n |\n");
}

int sp_cli_help(struct sp_cli *cli)
{
    if (cli->args.texts[SP_CLI_HELP_REFERENCE] != NULL) {
        sp_cli_print_reference(cli);
        return SP_CLI_EXIT_OK;
    }
    if (cli->args.count == 0) {
        sp_cli_print_overview(cli);
        return SP_CLI_EXIT_OK;
    }
    enum sp_cli_command_id id = sp_cli_command_find(cli->args.words[0]);
    if (id == SP_CLI_COMMANDS) {
        return sp_cli_complain_unknown(cli, cli->args.words[0]);
    }
    sp_cli_print_command(cli, id);
    return SP_CLI_EXIT_OK;
}
