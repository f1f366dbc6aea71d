// SPDX-License-Identifier: MIT
// Standard output and standard error. A reader that goes away is not an error; a full
// disk is.
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/command.h"

// Makes sure that descriptors 0, 1 and 2 are taken, so that nothing of the library's
// becomes anybody's standard output, and that a reader who goes away does not kill the
// process. One that was closed still fails when it is used.
void sp_cli_streams_init(void);

// Prints to standard output. Once a write has failed, nothing more is tried. What is
// printed goes through sp_text_clean(); what is written does not.
void sp_cli_print(struct sp_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sp_cli_write(struct sp_cli *cli, const void *data, size_t bytes);
// Hands over what is buffered.
void sp_cli_flush(struct sp_cli *cli);

// Prints to standard error, likewise.
void sp_cli_print_error(struct sp_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Writes "snakepit: ..." as one line to standard error.
void sp_cli_complain(struct sp_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The same, and how to get help; gives SP_CLI_EXIT_USAGE. `command` may be NULL.
int sp_cli_complain_usage(struct sp_cli *cli, const char *command, const char *what);
// Says that there is no such command, and which one was meant; gives SP_CLI_EXIT_USAGE.
int sp_cli_complain_unknown(struct sp_cli *cli, const char *name);

// Flushes. Gives `status`, or, where the output is lost for another reason than that
// nobody reads it any more, complains and gives SP_CLI_EXIT_SYSTEM instead of
// SP_CLI_EXIT_OK.
int sp_cli_output_end(struct sp_cli *cli, int status);

#endif
