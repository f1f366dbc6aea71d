// SPDX-License-Identifier: MIT
#include "mcp/session.h"

#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

void sp_mcp_new_session(char session[SP_MCP_SESSION_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[(SP_MCP_SESSION_SIZE - 1) / 2];
    session[0] = '\0';
    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes) {
        return;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        session[2 * i] = digits[bytes[i] >> 4];
        session[2 * i + 1] = digits[bytes[i] & 15];
    }
    session[SP_MCP_SESSION_SIZE - 1] = '\0';
}
