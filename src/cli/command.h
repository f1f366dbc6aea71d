// SPDX-License-Identifier: MIT
// The commands and their options as data, and what every command is given.
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/exits.h"

enum sp_cli_command_id {
#define SP_CLI_COMMAND(id, ...) SP_CLI_##id,
#define SP_CLI_OPTION(...)
#include "cli/commands.def"
#undef SP_CLI_COMMAND
#undef SP_CLI_OPTION
    SP_CLI_COMMANDS
};

#define SP_CLI_ANY    SP_CLI_COMMANDS       // whose options are every command's
#define SP_CLI_CLIENT (SP_CLI_COMMANDS + 1) // whose are those of a daemon's clients

enum sp_cli_option_id {
#define SP_CLI_COMMAND(...)
#define SP_CLI_OPTION(command, id, ...) SP_CLI_##id,
#include "cli/commands.def"
#undef SP_CLI_COMMAND
#undef SP_CLI_OPTION
    SP_CLI_OPTIONS
};

enum sp_cli_kind { SP_CLI_FLAG = 0, SP_CLI_TEXT, SP_CLI_NUMBER };

struct sp_cli_option {
    const char *name;
    int command; // an sp_cli_command_id, SP_CLI_ANY or SP_CLI_CLIENT
    enum sp_cli_kind kind;
    const char *value;
    uint64_t minimum;
    uint64_t maximum;
    const char *help;
};

// What was typed behind the command's name. Borrows argv.
struct sp_cli_args {
    const char *texts[SP_CLI_OPTIONS]; // NULL: not given; of a FLAG ""
    uint64_t numbers[SP_CLI_OPTIONS];  // of a NUMBER that was given
    const char *words[4];
    size_t count; // of words
};

// One run of the command. Owner: the main thread.
struct sp_cli {
    struct sp_cli_args args;
    FILE *out;
    FILE *err;
    int lost; // errno of the first write to `out` that failed, or 0
};

struct sp_cli_command {
    const char *name;
    int (*run)(struct sp_cli *cli); // gives the exit code
    size_t least;
    size_t most;
    const char *arguments;
    const char *summary;
    const char *text;
};

// The rows of cli/commands.def.
const struct sp_cli_command *sp_cli_command_at(enum sp_cli_command_id id);
const struct sp_cli_option *sp_cli_option_at(enum sp_cli_option_id id);
// True for a command's own options, those of every command, and those of a daemon's
// clients where it can be one.
bool sp_cli_option_is_of(const struct sp_cli_option *option, enum sp_cli_command_id id);

// Finds a command; SP_CLI_COMMANDS if there is none of that name.
enum sp_cli_command_id sp_cli_command_find(const char *name);
// The name that one most likely meant; NULL if none comes near.
const char *sp_cli_command_nearest(const char *name);

#define SP_CLI_COMMAND(id, name, function, ...) int function(struct sp_cli *cli);
#define SP_CLI_OPTION(...)
#include "cli/commands.def"
#undef SP_CLI_COMMAND
#undef SP_CLI_OPTION

#endif
