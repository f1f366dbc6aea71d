// SPDX-License-Identifier: MIT
// What a call came to, as MCP has it: content for whoever reads, and the value itself
// for whoever computes.
#ifndef MCP_CONTENT_H
#define MCP_CONTENT_H

#include <snakepit/fault.h>

#include "mcp/reply.h"

// The members of the result of tools/call, behind sp_mcp_begin_result(). Text is a text
// as it is; bytes that are a picture or a sound are that, others a resource; of a list
// with bytes in it each item is by itself; everything else is its JSON.
// `structuredContent` is the value, and in the handshake's era {"result": value}; bytes
// alone have none. UNSERIALISABLE: the value has no JSON.
void sp_mcp_add_content(struct sp_mcp_out *out,
                        const snakepit_reader *value,
                        enum sp_mcp_era era);

// A value as one item of `content`, with its braces.
void sp_mcp_add_block(struct sp_mcp_out *out, const snakepit_reader *value);

// The same of a failure, for a model to read: its error and its sentence.
void sp_mcp_add_failure(struct sp_mcp_out *out, const snakepit_fault *fault);

// "image/png" of bytes that begin as such a file does; NULL: of no kind that is known.
const char *sp_mcp_media_of(struct sp_slice bytes);

#endif
