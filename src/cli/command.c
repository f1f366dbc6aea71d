// SPDX-License-Identifier: MIT
// The tables of commands and options, from cli/commands.def.
#include "cli/command.h"

#include <string.h>

#include "base/check.h"
#include "base/suggest.h"

static const struct sp_cli_command commands[] = {
#define SP_CLI_COMMAND(id, called, function, fewest, greatest, takes, line, words) \
    {                                                                              \
        .name = (called),                                                          \
        .run = (function),                                                         \
        .least = (fewest),                                                         \
        .most = (greatest),                                                        \
        .arguments = (takes),                                                      \
        .summary = (line),                                                         \
        .text = (words),                                                           \
    },
#define SP_CLI_OPTION(...)
#include "cli/commands.def"
#undef SP_CLI_COMMAND
#undef SP_CLI_OPTION
};

static const struct sp_cli_option options[] = {
#define SP_CLI_COMMAND(...)
#define SP_CLI_OPTION(of, id, called, is, takes, low, high, words) \
    {                                                              \
        .command = SP_CLI_##of,                                    \
        .name = (called),                                          \
        .kind = SP_CLI_##is,                                       \
        .value = (takes),                                          \
        .minimum = (low),                                          \
        .maximum = (high),                                         \
        .help = (words),                                           \
    },
#include "cli/commands.def"
#undef SP_CLI_COMMAND
#undef SP_CLI_OPTION
};

const struct sp_cli_command *sp_cli_command_at(enum sp_cli_command_id id)
{
    SP_CHECK(id < SP_CLI_COMMANDS);
    return &commands[id];
}

const struct sp_cli_option *sp_cli_option_at(enum sp_cli_option_id id)
{
    SP_CHECK(id < SP_CLI_OPTIONS);
    return &options[id];
}

static bool is_client(enum sp_cli_command_id id)
{
    switch (id) {
    case SP_CLI_CALL:
    case SP_CLI_TOOLS:
    case SP_CLI_POOLS:
    case SP_CLI_WORKERS:
    case SP_CLI_INSPECT:
    case SP_CLI_SESSIONS:
    case SP_CLI_RECYCLE:
    case SP_CLI_RETRY:
    case SP_CLI_RESIZE:
    case SP_CLI_CALLS:
    case SP_CLI_EVENTS:
    case SP_CLI_STACKS:
    case SP_CLI_TOP:
    case SP_CLI_RELOAD:
    case SP_CLI_DRAIN:
    case SP_CLI_MCP:
        return true;
    default:
        return false;
    }
}

bool sp_cli_option_is_of(const struct sp_cli_option *option, enum sp_cli_command_id id)
{
    return option->command == (int)id || option->command == (int)SP_CLI_ANY ||
           (option->command == (int)SP_CLI_CLIENT && is_client(id));
}

enum sp_cli_command_id sp_cli_command_find(const char *name)
{
    int id = 0;
    while (id < SP_CLI_COMMANDS && strcmp(commands[id].name, name) != 0) {
        id++;
    }
    return (enum sp_cli_command_id)id;
}

const char *sp_cli_command_nearest(const char *name)
{
    const char *names[SP_CLI_COMMANDS];
    for (int id = 0; id < SP_CLI_COMMANDS; id++) {
        names[id] = commands[id].name;
    }
    return sp_suggest(name, names, SP_CLI_COMMANDS);
}
