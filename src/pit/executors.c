// SPDX-License-Identifier: MIT
// What runs now.
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/rows.h"

struct asked {
    struct sp_rows rows;
    uint64_t now_ms; // Unix time
};

static uint64_t unix_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / SP_NS_PER_MS;
}

static void put(void *user, size_t index, const struct sp_executor_row *row)
{
    static const char *const states[] = {
        [SP_EXECUTOR_ABSENT] = "absent",
        [SP_EXECUTOR_IDLE] = "idle",
        [SP_EXECUTOR_RUNNING] = "running",
        [SP_EXECUTOR_ASKING] = "asking",
        [SP_EXECUTOR_STOPPING] = "stopping",
        [SP_EXECUTOR_STUCK] = "stuck",
    };
    const struct asked *asked = user;
    snakepit_executor_info info = {
        .worker = row->worker,
        .executor = row->executor,
        .state = states[row->state],
        .call = row->call,
        .running_us = row->running_us,
        .since_ms = row->call == 0 ? 0 : asked->now_ms - row->running_us / 1000,
    };
    _Static_assert(sizeof info.tool == sizeof row->tool, "a name fits");
    memcpy(info.tool, row->tool, sizeof info.tool);
    sp_rows_put(&asked->rows, index, &info, sizeof info);
}

// NOLINTNEXTLINE(readability-function-size): rows, their room and their count are one
snakepit_err snakepit_worker_executors(snakepit *pit,
                                       const char *pool,
                                       uint64_t worker,
                                       snakepit_executor_info *rows,
                                       size_t room,
                                       size_t *count)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_rows_check(pit, rows, room, count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct asked asked = {{(uint8_t *)rows, room > 0 ? rows->size : 0, room},
                          unix_ms()};
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked question = {
            .told = &sp_told_executor, .pool = pool, .worker = worker};
        return sp_ask_rows(pit, "worker_executors", &question, &asked.rows, count);
    }
    struct sp_pool *found = sp_pit_pool(pit, pool);
    if (found == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    *count = sp_pool_executors(found, worker, put, &asked);
    return SNAKEPIT_OK;
}
