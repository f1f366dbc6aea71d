// SPDX-License-Identifier: MIT
// What a pool can be asked for. A worker tells it as the answer of a tool that every
// adapter has (snakepit_bridge/schemas.py). Schemas are long and few hosts want them,
// so they are made when one asks, not when a worker starts.
#include "pit/tools.h"

#include <snakepit/snakepit.h>

snakepit_err snakepit_pool_tools(snakepit *pit,
                                 const char *pool,
                                 uint32_t timeout_ms,
                                 snakepit_answer **answer)
{
    const snakepit_call_options options = {
        .size = sizeof options, .pool = pool, .timeout_ms = timeout_ms};
    return snakepit_call(pit, SP_PIT_TABLE_TOOL, NULL, &options, answer);
}

snakepit_err snakepit_submit_tools(snakepit *pit,
                                   const snakepit_call_options *options,
                                   snakepit_done_fn *done,
                                   void *user,
                                   snakepit_call_id *call)
{
    return snakepit_submit(pit, SP_PIT_TABLE_TOOL, NULL, options, done, user, call);
}
