// SPDX-License-Identifier: MIT
// The rows of a view, one map after the other: those of the daemon as they are, and
// those that are made of them: calls under way are what executors do, tools what calls
// have done.
#ifndef CLI_TOP_GATHER_H
#define CLI_TOP_GATHER_H

#include "cli/top_model.h"

enum sp_top_view {
    SP_TOP_POOLS,
    SP_TOP_WORKERS,
    SP_TOP_TOOLS,
    SP_TOP_CALLS,
    SP_TOP_VIEWS,
};

#define SP_TOP_TOOLS_MAX 500u // that are told apart; further ones are left out

// Takes one row; its map lives until the function returns. `seen_ms`: when it came, by
// the daemon's clock. Anything but OK ends the gathering.
typedef snakepit_err
sp_top_row_fn(void *user, const snakepit_reader *map, uint64_t seen_ms);

// In their natural order: pools and workers as the daemon has them, tools as they were
// seen, calls under way and then those that have ended, the newest first. NO_MEMORY,
// and what `take` says.
snakepit_err sp_top_gather(const struct sp_top_model *model,
                           enum sp_top_view view,
                           uint64_t now_ms,
                           sp_top_row_fn *take,
                           void *user);

// The executor of a worker whose call has run for longest, and how many run others.
// False: it is idle.
bool sp_top_busiest(const snakepit_reader *worker,
                    snakepit_reader *executor,
                    uint32_t *others);

#endif
