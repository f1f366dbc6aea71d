// SPDX-License-Identifier: MIT
// Exit codes.
#ifndef CLI_EXITS_H
#define CLI_EXITS_H

#include <stddef.h>

#include <snakepit/errors.h>

enum sp_cli_exit {
#define SP_CLI_EXIT(name, code, text) SP_CLI_EXIT_##name = (code),
#define SP_CLI_EXIT_OF(err, name)
#include "cli/exits.def"
#undef SP_CLI_EXIT
#undef SP_CLI_EXIT_OF
};

#define SP_CLI_EXIT_SIGNAL 128 // plus the number of the signal

struct sp_cli_exit_row {
    int code;
    const char *text;
};

// Row `index` of cli/exits.def; NULL past the end.
const struct sp_cli_exit_row *sp_cli_exit_at(size_t index);

// How the command ends after an error of the library.
int sp_cli_exit_of(snakepit_err err);

#endif
