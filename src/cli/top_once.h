// SPDX-License-Identifier: MIT
#ifndef CLI_TOP_ONCE_H
#define CLI_TOP_ONCE_H

#include "cli/command.h"
#include "cli/top_model.h"

// Prints what there is as tables, or as one JSON object: what `GET /v1/watch` would
// tell as a snapshot. NO_MEMORY.
snakepit_err
sp_top_print_once(struct sp_cli *cli, const struct sp_top_model *model, bool json);

#endif
