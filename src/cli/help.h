// SPDX-License-Identifier: MIT
// What --help prints.
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

// The whole command: what it is for, the commands, the exit codes.
void sp_cli_print_overview(struct sp_cli *cli);
// One command: its usage, what it does, its options.
void sp_cli_print_command(struct sp_cli *cli, enum sp_cli_command_id id);
// All of it as Markdown: docs/cli.md.
void sp_cli_print_reference(struct sp_cli *cli);

#endif
