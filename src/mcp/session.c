// SPDX-License-Identifier: MIT
#include "mcp/session.h"

#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/hex.h"

void sp_mcp_new_session(char session[SP_MCP_SESSION_SIZE])
{
    uint8_t bytes[(SP_MCP_SESSION_SIZE - 1) / 2];
    session[0] = '\0';
    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes) {
        return;
    }
    sp_hex_write(bytes, sizeof bytes, (uint8_t *)session);
    session[SP_MCP_SESSION_SIZE - 1] = '\0';
}
