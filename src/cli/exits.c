// SPDX-License-Identifier: MIT
// Exit codes, from cli/exits.def.
#include "cli/exits.h"

static const struct sp_cli_exit_row rows[] = {
#define SP_CLI_EXIT(name, number, words) {.code = (number), .text = (words)},
#define SP_CLI_EXIT_OF(error, name)
#include "cli/exits.def"
#undef SP_CLI_EXIT
#undef SP_CLI_EXIT_OF
};

static const struct {
    snakepit_err err;
    enum sp_cli_exit code;
} errors[] = {
#define SP_CLI_EXIT(name, number, words)
#define SP_CLI_EXIT_OF(error, name) {SNAKEPIT_##error, SP_CLI_EXIT_##name},
#include "cli/exits.def"
#undef SP_CLI_EXIT
#undef SP_CLI_EXIT_OF
};

const struct sp_cli_exit_row *sp_cli_exit_at(size_t index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}

int sp_cli_exit_of(snakepit_err err)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].err == err) {
            return (int)errors[i].code;
        }
    }
    return SP_CLI_EXIT_FAILED;
}
