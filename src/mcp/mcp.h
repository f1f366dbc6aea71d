// SPDX-License-Identifier: MIT
// The Model Context Protocol: language models list and call the tools of all pools, as
// "pool.tool". Revision 2026-07-28, in which each request stands for itself, and the
// three before it that begin with a handshake, are served alike: nothing is kept from
// one request to the next.
#ifndef MCP_MCP_H
#define MCP_MCP_H

#include "api/api.h"

// For sp_api_options.
extern const struct sp_api_mcp sp_mcp;

#endif
