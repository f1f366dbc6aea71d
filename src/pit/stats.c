// SPDX-License-Identifier: MIT
// What there is, and how it does.
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"

size_t snakepit_pool_count(const snakepit *pit)
{
    return pit == NULL ? 0 : pit->count;
}

const char *snakepit_pool_name(const snakepit *pit, size_t index)
{
    return pit != NULL && index < pit->count ? sp_pool_name(pit->pools[index].pool)
                                             : NULL;
}

static const char *state_name(enum sp_pool_state state)
{
    static const char *const names[] = {
        "starting", "ready", "degraded", "down", "failed", "stopping"};
    return names[state];
}

static void fill_counters(const struct sp_pool_counters *counters,
                          snakepit_pool_stats *stats)
{
    stats->calls = counters->calls;
    stats->failures = counters->failures;
    stats->saturated = counters->saturated;
    stats->timeouts = counters->timeouts;
    stats->cancelled = counters->cancelled;
    stats->worker_starts = counters->starts;
    stats->worker_deaths = counters->deaths;
    stats->violations = counters->violations;
}

snakepit_err
snakepit_pool_get_stats(snakepit *pit, const char *name, snakepit_pool_stats *stats)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || stats == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    struct sp_pool *pool = sp_pit_pool(pit, name);
    if (pool == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    struct sp_pool_view view;
    sp_pool_look(pool, &view, NULL);
    *stats = (snakepit_pool_stats){
        .name = sp_pool_name(pool),
        .profile = view.profile,
        .state = state_name(view.state),
        .workers = view.workers,
        .workers_ready = view.seats,
        .threads_per_worker = view.threads,
        .capacity = view.workers * view.threads,
        .running = view.running,
        .waiting = view.waiting,
        .shared_bytes = sp_arena_used(&sp_pool_store(pool)->arena),
    };
    fill_counters(&view.counters, stats);
    return SNAKEPIT_OK;
}

snakepit_err snakepit_pool_workers(snakepit *pit,
                                   const char *name,
                                   snakepit_worker_info *rows,
                                   size_t room,
                                   size_t *count)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || count == NULL || (rows == NULL && room > 0)) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    const struct sp_pool *pool = sp_pit_pool(pit, name);
    for (size_t i = 0; i < pit->count && pool != NULL; i++) {
        if (pit->pools[i].pool == pool) {
            *count = sp_supervisor_workers(&pit->pools[i].supervisor, rows, room);
            return SNAKEPIT_OK;
        }
    }
    return SNAKEPIT_UNKNOWN_POOL;
}
