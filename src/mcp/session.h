// SPDX-License-Identifier: MIT
// Mcp-Session-Id: nothing but what keeps the numbers of one client's requests from
// another's.
#ifndef MCP_SESSION_H
#define MCP_SESSION_H

#define SP_MCP_SESSION_SIZE 33u // with its zero
// A name for the requests of one client, that nobody else can guess; "" without chance.
void sp_mcp_new_session(char session[SP_MCP_SESSION_SIZE]);

#endif
