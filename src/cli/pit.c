// SPDX-License-Identifier: MIT
// snakepit_await_ready() cannot be interrupted, so it is asked again and again for a
// while short enough that nobody notices that Ctrl-C waits for it.
#include "cli/pit.h"

#include <string.h>

#include "base/suggest.h"
#include "cli/interrupt.h"

#define SLICE_MS     100u
#define POOLS_LOOKED 64u // of which a suggestion is made

typedef snakepit_err
await_fn(snakepit *pit, const char *pool, uint32_t timeout_ms, snakepit_message *why);

static bool is_down(snakepit *pit, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    return snakepit_pool_get_stats(pit, pool, &stats) == SNAKEPIT_OK &&
           strcmp(stats.state, "down") == 0;
}

static snakepit_err
await(await_fn *wait, snakepit *pit, const char *pool, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_DEADLINE_EXCEEDED;
    while (err == SNAKEPIT_DEADLINE_EXCEEDED) {
        if (sp_cli_interrupted() != 0) {
            return SNAKEPIT_CANCELLED;
        }
        err = wait(pit, pool, SLICE_MS, why);
        if (err == SNAKEPIT_DEADLINE_EXCEEDED && is_down(pit, pool)) {
            return SNAKEPIT_POOL_DOWN;
        }
    }
    if (err == SNAKEPIT_OK) {
        why->text[0] = '\0'; // what the slices before the last one came to
    }
    (void)snakepit_flush_log(pit, SP_CLI_FLUSH_MS);
    return err;
}

snakepit_err sp_cli_await_ready(snakepit *pit, const char *pool, snakepit_message *why)
{
    return await(snakepit_await_ready, pit, pool, why);
}

snakepit_err
sp_cli_await_serving(snakepit *pit, const char *pool, snakepit_message *why)
{
    return await(snakepit_await_serving, pit, pool, why);
}

bool sp_cli_pool_exists(const snakepit *pit, const char *name)
{
    size_t count = snakepit_pool_count(pit);
    size_t index = 0;
    while (index < count && strcmp(snakepit_pool_name(pit, index), name) != 0) {
        index++;
    }
    return index < count;
}

const char *sp_cli_pool_nearest(const snakepit *pit, const char *name)
{
    const char *names[POOLS_LOOKED];
    size_t count = snakepit_pool_count(pit);
    count = count < POOLS_LOOKED ? count : POOLS_LOOKED;
    for (size_t i = 0; i < count; i++) {
        names[i] = snakepit_pool_name(pit, i);
    }
    return sp_suggest(name, names, count);
}
