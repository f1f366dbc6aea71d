// SPDX-License-Identifier: MIT
// Messages on a stream of bytes, such as standard input: one a line. Nothing of it is
// believed: a line may have any length, and any bytes.
#ifndef MCP_LINES_H
#define MCP_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/errors.h>

#include "base/slice.h"

// A line without its end, borrowed, and never empty. `cut`: it was longer than `most`,
// and is not there.
typedef void sp_mcp_line_fn(void *user, struct sp_slice line, bool cut);

// Zeroed but for the first three it is at the beginning. Owner: one thread.
struct sp_mcp_lines {
    size_t most; // bytes of a line
    sp_mcp_line_fn *put;
    void *user;

    struct sp_buf begun; // a line whose end is still to come
    bool cut;            // that line is longer than it may be
};

// Hands out each line that these bytes end. NO_MEMORY: one of them was lost.
snakepit_err sp_mcp_lines_feed(struct sp_mcp_lines *lines, struct sp_slice bytes);
// There are no more bytes: what has begun is a line as well.
void sp_mcp_lines_end(struct sp_mcp_lines *lines);
void sp_mcp_lines_fini(struct sp_mcp_lines *lines);

#endif
