// SPDX-License-Identifier: MIT
#include "mcp/lines.h"

#include <string.h>

static void put(struct sp_mcp_lines *lines, struct sp_slice line)
{
    const bool cut = lines->cut || line.size > lines->most;
    lines->cut = false;
    while (!cut && line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    if (cut || line.size > 0) {
        lines->put(lines->user, cut ? (struct sp_slice){NULL, 0} : line, cut);
    }
}

// What is longer than it may be is not kept.
static snakepit_err keep(struct sp_mcp_lines *lines, struct sp_slice part)
{
    lines->cut = lines->cut || part.size > lines->most - lines->begun.size;
    if (!lines->cut) {
        return sp_buf_append(&lines->begun, part.data, part.size);
    }
    sp_buf_fini(&lines->begun);
    return SNAKEPIT_OK;
}

// The end of the line that has begun.
static snakepit_err finish(struct sp_mcp_lines *lines, struct sp_slice part)
{
    if (lines->begun.size == 0 && !lines->cut) {
        put(lines, part); // without a copy
        return SNAKEPIT_OK;
    }
    const snakepit_err err = keep(lines, part);
    if (err == SNAKEPIT_OK) {
        put(lines, (struct sp_slice){lines->begun.data, lines->begun.size});
    }
    sp_buf_fini(&lines->begun);
    return err;
}

snakepit_err sp_mcp_lines_feed(struct sp_mcp_lines *lines, struct sp_slice bytes)
{
    snakepit_err err = SNAKEPIT_OK;
    while (bytes.size > 0 && err == SNAKEPIT_OK) {
        const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
        const size_t size = end == NULL ? bytes.size : (size_t)(end - bytes.data);
        const struct sp_slice part = {bytes.data, size};
        err = end == NULL ? keep(lines, part) : finish(lines, part);
        bytes.data += end == NULL ? size : size + 1;
        bytes.size -= end == NULL ? size : size + 1;
    }
    return err;
}

void sp_mcp_lines_end(struct sp_mcp_lines *lines)
{
    put(lines, (struct sp_slice){lines->begun.data, lines->begun.size});
    sp_buf_fini(&lines->begun);
}

void sp_mcp_lines_fini(struct sp_mcp_lines *lines)
{
    sp_buf_fini(&lines->begun);
}
