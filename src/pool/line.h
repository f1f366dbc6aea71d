// SPDX-License-Identifier: MIT
// The calls that wait for a worker: the more urgent first, and of one priority who came
// first; see sp_call_rank(). No call is admitted
// beyond a limit; one that was admitted before may come back beyond it.
#ifndef POOL_LINE_H
#define POOL_LINE_H

#include <stdbool.h>

#include "pool/call.h"

// Guarded by the pool's lock.
struct sp_line {
    struct sp_link calls;   // those that any worker may run
    struct sp_link delayed; // those that wait for their next attempt, see retry_at
    uint32_t count;         // all that wait, also for one worker (pool/affinity.h)
    uint32_t most;
    uint32_t highest; // that `count` ever was
};

void sp_line_init(struct sp_line *line, uint32_t most);
// To the front, also beyond the limit: the call was admitted before.
void sp_line_put_first(struct sp_line *line, struct sp_call *call);
// Aside, likewise: it has no turn yet.
void sp_line_put_delayed(struct sp_line *line, struct sp_call *call);
// Into `list`, which is `calls` or the list of those who wait for one worker, behind
// those with a lower rank; also beyond the limit.
void sp_line_put_sorted(struct sp_line *line,
                        struct sp_link *list,
                        struct sp_call *call);
bool sp_line_is_full(const struct sp_line *line);
// The first of a list that calls wait in, or NULL.
struct sp_call *sp_line_first(const struct sp_link *list);
// Takes the first of `calls`, or NULL.
struct sp_call *sp_line_take(struct sp_line *line);
// Out of whatever list it stands in.
void sp_line_remove(struct sp_line *line, struct sp_call *call);

#endif
