// SPDX-License-Identifier: MIT
// What becomes of the calls of each tool. A call finds the row of its tool when it is
// admitted, and its end counts there.
//
// Callers may make names up, so a name gets a row once a worker has run it, and the
// number of rows is bounded. What has none is counted together, in `other`. Rows stay
// until the pool is freed. Guarded by the pool's lock.
#ifndef POOL_TOOLS_H
#define POOL_TOOLS_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/names.h"
#include "base/slice.h"
#include "telemetry/figures.h"
#include "telemetry/histogram.h"

#define SP_TOOLS_MOST  128u // rows, besides `other`
#define SP_TOOLS_CLOSE 64u

struct sp_tool {
    struct sp_name name;
    uint64_t ended[SP_ERRORS]; // calls, by their outcome
    uint64_t slow_told_at;     // see pool/slow.h; CLOCK_MONOTONIC ns; 0: never
    // How long it ran in calls that gave an answer and were not streams.
    struct sp_histogram run;
};

struct sp_tools {
    struct sp_tool *close[SP_TOOLS_CLOSE]; // that were looked for last; never NULL
    struct sp_names names;
    struct sp_tool *all[SP_TOOLS_MOST];
    uint32_t count;
    struct sp_tool other; // a tool of its name counts there as well
};

void sp_tools_init(struct sp_tools *tools, const struct sp_hash_key *key);
void sp_tools_fini(struct sp_tools *tools);

// For sp_tools_find().
struct sp_tool *sp_tools_look_up(struct sp_tools *tools, struct sp_slice name);

// The row of a tool, or `other`. Never NULL.
static inline struct sp_tool *sp_tools_find(struct sp_tools *tools,
                                            struct sp_slice name)
{
    struct sp_tool *tool =
        tools->close[sp_name_guess((const char *)name.data, name.size)];
    bool is_it = tool->name.size == name.size &&
                 sp_bytes_equal(tool->name.text, name.data, name.size);
    return is_it ? tool : sp_tools_look_up(tools, name);
}

// The same of a tool that has run; where there is no row yet it gets one, as long as
// there is room and memory.
struct sp_tool *sp_tools_meet(struct sp_tools *tools, struct sp_slice name);

#endif
