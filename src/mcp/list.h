// SPDX-License-Identifier: MIT
// The tools of all pools, as MCP lists them.
#ifndef MCP_LIST_H
#define MCP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/tables.h"
#include "mcp/reply.h"

#define SP_MCP_PAGE 100u // tools

// Which tools a client gets.
struct sp_mcp_choice {
    // `tool` NULL: whether it gets that pool at all.
    bool (*takes)(const void *user, const char *pool, const char *tool);
    const void *user;
};

// Writes the members "tools" and, where there are more than a page from `first` on,
// "nextCursor". False: there are fewer than `first`, and nothing was written.
bool sp_mcp_add_tools(struct sp_mcp_out *out,
                      const struct sp_api_tables *tables,
                      const struct sp_mcp_choice *choice,
                      size_t first,
                      enum sp_mcp_era era);

// A number that is another one as soon as a tool of a pool that the client gets is
// another one.
uint64_t sp_mcp_tables_print(const struct sp_api_tables *tables,
                             const struct sp_mcp_choice *choice);

#endif
