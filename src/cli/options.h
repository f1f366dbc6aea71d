// SPDX-License-Identifier: MIT
// Reads what was typed behind a command's name.
//
// Not getopt_long(): its abbreviations would make every new option break a script, it
// takes POSIXLY_CORRECT as leave to ignore options behind words, and it says nothing
// that a suggestion could be made from.
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <snakepit/payload.h>

#include "cli/command.h"

// Reads `count` words. Options may stand anywhere, as `--name value` or `--name=value`;
// the last of the same name counts. A lone `-` is a word, and `--` makes words of all
// that follows. Borrows `words`, keeps them in `args`. INVALID_ARGUMENT: `why` says in
// one sentence what is wrong with which word. With --help nothing that is missing is
// missed.
snakepit_err sp_cli_parse(enum sp_cli_command_id command,
                          char *const *words,
                          size_t count,
                          struct sp_cli_args *args,
                          snakepit_message *why);

#endif
