// SPDX-License-Identifier: MIT
// Pools of a command's own, or those that it uses as any program does, by a local door.
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include "cli/target.h"

// Opens the configuration and begins to start its pools. Fails as snakepit_open_file();
// `why` explains it.
snakepit_err sp_cli_own_open(const char *config,
                             struct sp_cli_target **target,
                             snakepit_message *why);

// Whether "unix:/path" is a local door, which speaks no HTTP.
bool sp_cli_is_local_door(const char *address);
// Connects to one. Calls and tools can be had there; all else is refused, since HTTP is
// for that. Fails as snakepit_connect().
snakepit_err sp_cli_own_connect(const char *address,
                                struct sp_cli_target **target,
                                snakepit_message *why);

#endif
