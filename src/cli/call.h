// SPDX-License-Identifier: MIT
// One call of a command: from a configuration's file to the answer, printed.
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "cli/command.h"

// What is called, and what becomes of the answer. Borrowed.
struct sp_cli_call {
    const char *config;
    const char *tool;
    const snakepit_writer *args; // NULL: none
    snakepit_call_options options;
    bool json;   // how a failure is told
    bool stream; // each chunk is printed
    // What prints an answer that is OK and gives the exit code; NULL: as one line of
    // JSON.
    int (*print)(struct sp_cli *cli, snakepit_answer *answer);
};

// Opens the configuration, waits until the pool serves, calls and prints. A signal
// cancels the call. Gives the exit code.
int sp_cli_call_once(struct sp_cli *cli, const struct sp_cli_call *wanted);

#endif
