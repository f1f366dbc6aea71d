// SPDX-License-Identifier: MIT
// What a transport that has no header fields, such as standard input, says in fields to
// a daemon. All of it is read from the message.
#ifndef MCP_HEADING_H
#define MCP_HEADING_H

#include <stdbool.h>

#include "base/slice.h"
#include "mcp/message.h"

#define SP_MCP_FIELD_SIZE 512u // of a value, with its zero

// Zeroed at the beginning; sp_mcp_heading_fini() frees it.
struct sp_mcp_heading {
    bool answered; // it is a request, or nobody knows what it is
    enum sp_mcp_method method;
    enum sp_mcp_era era;
    struct sp_buf id;      // of a request, as JSON; empty: none that is known
    struct sp_buf cancels; // of notifications/cancelled: the id of what is to end
    // The fields of 2026-07-28; "": there is none, or none could hold it.
    char version[SP_MCP_FIELD_SIZE];
    char name_of_method[SP_MCP_FIELD_SIZE];
    char name[SP_MCP_FIELD_SIZE];
};

// Reads a message. What is no message has nothing but `answered`. NO_MEMORY.
snakepit_err sp_mcp_heading_read(struct sp_slice message,
                                 struct sp_mcp_heading *heading);
void sp_mcp_heading_fini(struct sp_mcp_heading *heading);

// Writes the value of a field that says `text`: as it is, or in base64 where no field
// could. "": it is too long.
void sp_mcp_field_write(struct sp_slice text, char value[SP_MCP_FIELD_SIZE]);

#endif
