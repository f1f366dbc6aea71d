// SPDX-License-Identifier: MIT
// The JSON arguments of a call, from the command line or from standard input.
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <snakepit/payload.h>

#include "base/slice.h"

#define SP_CLI_INPUT_MAX (UINT32_C(64) << 20)

// Reads a descriptor to its end into `text`. INVALID_ARGUMENT: more than `limit` bytes.
// SYSTEM, NO_MEMORY. `why` says it in one sentence.
snakepit_err
sp_cli_read_all(int fd, size_t limit, struct sp_buf *text, snakepit_message *why);

// The arguments of a call: as it was typed, and as a value. Owner: the main thread.
struct sp_cli_arguments {
    snakepit_writer *writer;
    struct sp_slice json; // borrows from `input`, or from who typed it
    struct sp_buf input;
};

// Reads the JSON object `text`; "-" is standard input and NULL no arguments, an empty
// map. MALFORMED: no JSON, `why` names line and column. INVALID_ARGUMENT: JSON, but no
// object. SYSTEM, NO_MEMORY. To be freed in any case.
snakepit_err sp_cli_read_arguments(const char *text,
                                   struct sp_cli_arguments *arguments,
                                   snakepit_message *why);
void sp_cli_arguments_fini(struct sp_cli_arguments *arguments);

#endif
