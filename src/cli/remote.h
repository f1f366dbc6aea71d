// SPDX-License-Identifier: MIT
// The pools of a daemon, over HTTP.
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/target.h"

struct sp_cli_remote;

// Reads the address and what is to be shown there from the command line and its
// variables, and sends nothing. INVALID_ARGUMENT, NO_MEMORY, SYSTEM; `why` explains it.
snakepit_err sp_cli_remote_open(struct sp_cli *cli,
                                const char *address,
                                struct sp_cli_remote **remote,
                                snakepit_message *why);
struct sp_cli_target *sp_cli_remote_target(struct sp_cli_remote *remote);

// The address of --connect or $SNAKEPIT_CONNECT; NULL: neither was given.
const char *sp_cli_remote_address(const struct sp_cli *cli);

// One request without a body, for what is no question that a pit could be asked as
// well. `segments` are those of the path, encoded here where they stand behind a '{':
// each "{}" of `path` is replaced by the next of `names`.
struct sp_cli_order {
    const char *method;
    const char *path;     // "/v1/pools/{}:recycle"
    const char *names[2]; // of the "{}"
    uint32_t timeout_ms;
};
void sp_cli_remote_order(struct sp_cli_remote *remote,
                         const struct sp_cli_order *order,
                         struct sp_cli_result *result);

// Where it is, for people.
const char *sp_cli_remote_shown(const struct sp_cli_remote *remote);

#endif
