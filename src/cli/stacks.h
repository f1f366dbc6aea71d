// SPDX-License-Identifier: MIT
#ifndef CLI_STACKS_H
#define CLI_STACKS_H

#include <snakepit/payload.h>

#include "cli/command.h"

// Prints a worker and the stacks of its threads, as `GET /v1/workers/{worker}/stacks`
// tells them.
void sp_cli_print_stacks(struct sp_cli *cli, const snakepit_reader *worker);

#endif
