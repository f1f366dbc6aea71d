// SPDX-License-Identifier: MIT
// What the commands share that only a daemon can be asked for.
#ifndef CLI_OPERATE_H
#define CLI_OPERATE_H

#include <stdbool.h>

#include "cli/remote.h"

// Opens the daemon that the command line or the variable names; close its target in the
// end. False: there is none, which was told, and `*status` is the exit code.
bool sp_cli_operate_open(struct sp_cli *cli,
                         const char *command,
                         bool json,
                         struct sp_cli_remote **remote,
                         int *status);

// Whether POOL|WORKER is a worker's id: a number, unless --pool says that it is a
// pool.
bool sp_cli_operate_is_worker(const char *what, bool is_pool);

#endif
