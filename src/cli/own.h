// SPDX-License-Identifier: MIT
// Pools of a command's own.
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include "cli/target.h"

// Opens the configuration and begins to start its pools. Fails as snakepit_open_file();
// `why` explains it.
snakepit_err sp_cli_own_open(const char *config,
                             struct sp_cli_target **target,
                             snakepit_message *why);

#endif
