// SPDX-License-Identifier: MIT
// What a client shows a daemon, and how it knows it.
#ifndef CLI_CREDENTIALS_H
#define CLI_CREDENTIALS_H

#include "cli/address.h"
#include "cli/command.h"

// Zeroed it is none. Borrows from argv what is no token.
struct sp_cli_credentials {
    char *token; // of --token-file or $SNAKEPIT_TOKEN; NULL: none
    const char *ca;
    const char *cert;
    const char *key;
};

// Reads them from the options and from the environment. INVALID_ARGUMENT: an option
// without the one that belongs to it, a token that is none, or one that others could
// read on the way; `why` says so. SYSTEM: a file that cannot be read. NO_MEMORY. Warns
// on standard error of a file that others may read.
snakepit_err sp_cli_credentials_read(struct sp_cli *cli,
                                     const struct sp_cli_address *address,
                                     struct sp_cli_credentials *credentials,
                                     snakepit_message *why);
void sp_cli_credentials_fini(struct sp_cli_credentials *credentials);

#endif
