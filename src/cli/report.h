// SPDX-License-Identifier: MIT
// How failures are told.
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <snakepit/snakepit.h>

#include "cli/command.h"

// Tells what went wrong with a call, or with the road to it, and gives the exit code.
// As text on standard error, "snakepit: TOOL_FAILED: ValueError: ..." and what belongs
// to it, or with `json` as {"error": {...}} on standard output.
int sp_cli_report_fault(struct sp_cli *cli, const snakepit_fault *fault, bool json);

// The same where there is no fault, only the library's sentence.
int sp_cli_report(struct sp_cli *cli, snakepit_err err, const char *message, bool json);

// The exit code of a run that a signal ended, said to the user. `note` is what belongs
// to it, or NULL.
int sp_cli_report_interrupt(struct sp_cli *cli, const char *note);

#endif
