// SPDX-License-Identifier: MIT
// Calls whose tools run for longer than `slow_call_ms`, for the log: each tool once a
// minute. Those that have ended wait here for the loop, which looks once a second, at
// what runs as well. Lock held.
#ifndef POOL_SLOW_H
#define POOL_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/layout.h"

struct sp_call;
struct sp_pool;
struct sp_tool;

#define SP_SLOW_MOST      4u // calls that are told after a look
#define SP_SLOW_ARGUMENTS 512u

struct sp_slow_call {
    uint64_t worker;
    uint64_t call;
    uint64_t waited_us;
    uint64_t running_us;
    bool ended;
    char tool[SP_TOOL_NAME_MAX + 1];   // both fit for a log; empty: it is not known
    char arguments[SP_SLOW_ARGUMENTS]; // their types and shapes
};

struct sp_slow {
    uint64_t ticks; // that a tool may run; UINT64_MAX: as long as it likes
    uint32_t count;
    struct sp_slow_call found[SP_SLOW_MOST]; // that are to be told
};

// Sets what is slow; 0: nothing is.
void sp_slow_set(struct sp_pool *pool, uint32_t limit_ms);
// A row to fill in, if a call of that tool is to be told now; it counts as told then.
// NULL: it is not.
struct sp_slow_call *sp_slow_next(struct sp_slow *slow, struct sp_tool *tool);
// Fills in what the pool knows of a call.
void sp_slow_describe(const struct sp_pool *pool,
                      const struct sp_call *call,
                      uint64_t ran_ticks,
                      struct sp_slow_call *row);
// A call has ended that has run for so long, or maybe not; see sp_recent_wants().
void sp_slow_note_end(struct sp_pool *pool, const struct sp_call *call);

#endif
