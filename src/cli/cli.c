// SPDX-License-Identifier: MIT
// From the command line to one of the commands.
#include "cli/cli.h"

#include <string.h>

#include <snakepit/snakepit.h>

#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text.h"

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int run(struct sp_cli *cli, enum sp_cli_command_id id, char **words, int count)
{
    const struct sp_cli_command *command = sp_cli_command_at(id);
    snakepit_message why;
    if (sp_cli_parse(id, words, (size_t)count, &cli->args, &why) != SNAKEPIT_OK) {
        return sp_cli_complain_usage(cli, command->name, why.text);
    }
    if (cli->args.texts[SP_CLI_ANY_HELP] != NULL) {
        sp_cli_print_command(cli, id);
        return SP_CLI_EXIT_OK;
    }
    return command->run(cli);
}

static int unknown_option(struct sp_cli *cli, const char *word)
{
    snakepit_message what;
    sp_cli_explain(&what, "a command comes first, then its options, not \"%s\"", word);
    return sp_cli_complain_usage(cli, NULL, what.text);
}

static int dispatch(struct sp_cli *cli, int argc, char **argv)
{
    if (argc < 2) {
        return sp_cli_complain_usage(cli, NULL, "which command?");
    }
    if (is_one_of(argv[1], "--help", "-h")) {
        sp_cli_print_overview(cli);
        return SP_CLI_EXIT_OK;
    }
    if (is_one_of(argv[1], "--version", "-V")) {
        sp_cli_print(cli, "snakepit %s\n", snakepit_version());
        return SP_CLI_EXIT_OK;
    }
    if (argv[1][0] == '-') {
        return unknown_option(cli, argv[1]);
    }
    enum sp_cli_command_id id = sp_cli_command_find(argv[1]);
    if (id == SP_CLI_COMMANDS) {
        return sp_cli_complain_unknown(cli, argv[1]);
    }
    return run(cli, id, argv + 2, argc - 2);
}

int sp_cli_main(int argc, char **argv)
{
    sp_cli_streams_init();
    struct sp_cli cli = {.out = stdout, .err = stderr};
    int status = dispatch(&cli, argc, argv);
    return sp_cli_output_end(&cli, status);
}
