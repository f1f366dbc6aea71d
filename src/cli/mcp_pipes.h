// SPDX-License-Identifier: MIT
// Standard input and output as a program on the other side has them: it may not read,
// send half a line, or die. Nothing waits for it without hearing that it is to end.
#ifndef CLI_MCP_PIPES_H
#define CLI_MCP_PIPES_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// Owner: one thread.
struct sp_cli_mcp_pipes {
    int in;    // -1: it has ended
    int out;   // -1: nobody reads any more
    int stop;  // becomes readable once all is to end; borrowed
    int epoll; // readable once one of them has news
    bool file; // `in` is none that could be waited for: it has always news
};

// Takes over descriptors 0 and 1. What else in this process reads the one has nothing
// to read, and what it prints to the other goes to standard error. SYSTEM: `why`
// explains it.
snakepit_err
sp_cli_mcp_pipes_open(int stop, struct sp_cli_mcp_pipes *pipes, snakepit_message *why);
void sp_cli_mcp_pipes_close(struct sp_cli_mcp_pipes *pipes);

struct sp_cli_mcp_news {
    bool in;    // there is something to read, or the end
    bool stops; // all is to end, or nobody reads
};
// Does not wait.
struct sp_cli_mcp_news sp_cli_mcp_pipes_look(const struct sp_cli_mcp_pipes *pipes);

// Reads into `room` what there is; after news. 0: `in` has ended, and is closed.
size_t sp_cli_mcp_pipes_read(struct sp_cli_mcp_pipes *pipes, void *room, size_t size);
// Reads no more.
void sp_cli_mcp_pipes_end_in(struct sp_cli_mcp_pipes *pipes);
// Writes all of it, and waits as long as that takes. False: nobody reads any more, or
// all is to end.
bool sp_cli_mcp_pipes_write(struct sp_cli_mcp_pipes *pipes, struct sp_slice bytes);

#endif
