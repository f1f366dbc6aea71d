// SPDX-License-Identifier: MIT
// What is sent to a client, as text: messages of JSON-RPC.
#ifndef MCP_REPLY_H
#define MCP_REPLY_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "mcp/message.h"

// One that is being written. Errors stick: NO_MEMORY, UNSERIALISABLE.
struct sp_mcp_out {
    struct sp_buf *buf;
    snakepit_err err;
};

void sp_mcp_add(struct sp_mcp_out *out, const char *text);
void sp_mcp_add_bytes(struct sp_mcp_out *out, struct sp_slice bytes);
void sp_mcp_add_number(struct sp_mcp_out *out, uint64_t number);
// As a string of JSON; what is not UTF-8 in it becomes U+FFFD.
void sp_mcp_add_quoted(struct sp_mcp_out *out, struct sp_slice text);
// The value that comes next, as JSON.
void sp_mcp_add_value(struct sp_mcp_out *out, const snakepit_reader *value);

// What a request is answered with. `id` is JSON text.
struct sp_mcp_address {
    struct sp_slice id; // empty: it is not known
    enum sp_mcp_era era;
};

// Begins `{"jsonrpc":"2.0","id":7,"result":{`; members follow, each with a comma behind
// it; then the end, which has those that each result of the era has.
void sp_mcp_begin_result(struct sp_mcp_out *out, const struct sp_mcp_address *to);
void sp_mcp_end_result(struct sp_mcp_out *out, const struct sp_mcp_address *to);
// An error with a sentence; `data` is JSON, or NULL. Ends.
void sp_mcp_add_error(struct sp_mcp_out *out,
                      const struct sp_mcp_address *to,
                      const struct sp_mcp_wrong *wrong,
                      const char *data);

// {"name", "title", "version"} of this server.
void sp_mcp_add_server(struct sp_mcp_out *out);

#endif
