// SPDX-License-Identifier: MIT
// The calls that wait for a worker, first come, first served, and never more than a
// limit.
#ifndef POOL_LINE_H
#define POOL_LINE_H

#include <stdbool.h>

#include "pool/call.h"

// Guarded by the pool's lock.
struct sp_line {
    struct sp_link calls;
    uint32_t count;
    uint32_t most;
};

void sp_line_init(struct sp_line *line, uint32_t most);
// SATURATED: the line is full.
snakepit_err sp_line_put(struct sp_line *line, struct sp_call *call);
// To the front, also beyond the limit: the call was admitted before.
void sp_line_put_first(struct sp_line *line, struct sp_call *call);
// The first call, or NULL.
struct sp_call *sp_line_take(struct sp_line *line);
void sp_line_remove(struct sp_line *line, struct sp_call *call);

#endif
