// SPDX-License-Identifier: MIT
// The table of a pool's tools, as snakepit_pool_tools() answers it. It comes from a
// worker, so what in it is not as it should be is left out.
#ifndef API_TOOL_TABLE_H
#define API_TOOL_TABLE_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"

#define SP_TOOL_NAME_MOST 255u // bytes

// One of the tools.
struct sp_tool {
    snakepit_span name; // without data: it has none
    size_t row;
    snakepit_reader at; // its map
};

// Of several tools of one name the first, which is the one that is called; in the order
// of their rows. Borrows from the answer.
struct sp_tool_table {
    struct sp_tool *tools;
    size_t count;
};

// NO_MEMORY. What is no table has no tools.
snakepit_err sp_tool_table_read(const snakepit_reader *table,
                                struct sp_tool_table *tools);
void sp_tool_table_fini(struct sp_tool_table *tools);

// ---- One of them, by its map ------------------------------------------------------

// The value of that kind under `key`. False: there is none.
bool sp_tool_member(const snakepit_reader *tool,
                    const char *key,
                    snakepit_kind kind,
                    snakepit_reader *found);
// Whether `key` is there and true.
bool sp_tool_flag(const snakepit_reader *tool, const char *key);
// False: it has no name that could be called.
bool sp_tool_name(const snakepit_reader *tool, char name[SP_TOOL_NAME_MOST + 1]);
// Appends a member of that kind as JSON; where there is none, or it has no JSON,
// `instead`. NO_MEMORY.
snakepit_err sp_tool_write_member(const snakepit_reader *tool,
                                  const char *key,
                                  snakepit_kind kind,
                                  const char *instead,
                                  struct sp_buf *out);

#endif
