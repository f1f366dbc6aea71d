// SPDX-License-Identifier: MIT
// MCP on standard input and output, spoken for a daemon: each message that comes is a
// request to its /mcp, and what it answers is written as it comes.
#ifndef CLI_MCP_RELAY_H
#define CLI_MCP_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "cli/http.h"
#include "cli/mcp_pipes.h"

// All of it is borrowed.
struct sp_cli_mcp_options {
    struct sp_cli_http *http; // to the daemon
    struct sp_cli_mcp_pipes *pipes;
    size_t most;       // bytes of a message, and of what is answered at once
    uint32_t grace_ms; // for what is under way when the input ends
};

// Speaks until the input has ended and what it asked for is answered, until nobody
// reads the output, or until the pipes are told to stop. Gives up what is under way
// then. NO_MEMORY, SYSTEM.
snakepit_err sp_cli_mcp_relay(const struct sp_cli_mcp_options *options);

#endif
