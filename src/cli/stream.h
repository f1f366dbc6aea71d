// SPDX-License-Identifier: MIT
// snakepit call --stream: the chunks of one call, a line each.
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <snakepit/snakepit.h>

#include "cli/command.h"

// What is called. Borrowed.
struct sp_cli_stream {
    const char *tool;
    const snakepit_writer *args;
    const snakepit_call_options *options;
    bool json; // how a failure is told
};

// Calls and prints each chunk as it comes. A signal cancels the call. Gives the exit
// code; what happens to the output is noted in `cli`.
int sp_cli_stream(struct sp_cli *cli,
                  snakepit *pit,
                  const struct sp_cli_stream *wanted);

#endif
