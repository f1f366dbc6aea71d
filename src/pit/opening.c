// SPDX-License-Identifier: MIT
// What a pool and its fleet are opened with. Nobody sees them until pools.c shows them.
#include "base/clock.h"
#include "base/memory.h"
#include "pit/pit.h"
#include "pit/refuse.h"

struct sp_pool_options sp_pit_pool_options(const snakepit *pit,
                                           const struct sp_config *config,
                                           const struct sp_pool_config *pool)
{
    return (struct sp_pool_options){
        .name = pool->name,
        .max_queue = pool->max_queue,
        .queue_timeout_ms = pool->queue_timeout_ms,
        .call_timeout_ms = pool->call_timeout_ms,
        .cancel_grace_ms = pool->cancel_grace_ms,
        .prefetch = pool->prefetch,
        .slow_call_ms = pool->slow_call_ms,
        .elastic = pool->pool_size.min < pool->pool_size.max,
        .shared_memory_size = pool->shared_memory_size,
        .payloads_hidden = !pool->payloads_in_core_dump,
        .affinity = pool->affinity,
        .max_sessions = config->max_sessions,
        .session_ttl_ms = config->session_ttl_ms,
        .hash_key = pit->hash_key,
        .retry = sp_pit_retry_terms(&pool->retry),
        .breaker = sp_pit_breaker_terms(&pool->breaker),
    };
}

static snakepit_err open_fleet(snakepit *pit,
                               struct sp_pit_pool *place,
                               struct sp_config *config,
                               const struct sp_pool_config *pool,
                               snakepit_message *why)
{
    const struct sp_fleet_options options = {
        .loop = &pit->loop,
        .watcher = pit->watcher,
        .log = &pit->log,
        .listener = &pit->listener,
        .inbox = &pit->inbox,
        .config = config,
        .pool_config = pool,
        .pool = place->pool,
        .last_worker_id = &pit->last_worker_id,
        .hooks = {.stopped = sp_pit_fleet_stopped,
                  .doorbell = sp_bells_change,
                  .user = pit},
    };
    return sp_fleet_init(&place->fleet, &options, why);
}

snakepit_err sp_pit_open_pool(snakepit *pit,
                              struct sp_config *config,
                              const struct sp_pool_config *pool,
                              snakepit_message *why)
{
    struct sp_pool_options options = sp_pit_pool_options(pit, config, pool);
    const struct sp_pool_hooks hooks = sp_pit_pool_hooks(pit);
    struct sp_pit_pool *place = NULL;
    snakepit_err err = sp_pit_new_place(pit, &place, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    options.index = (uint32_t)pit->made;
    err = sp_pool_open(&options, &hooks, &pit->log, &place->pool, why);
    if (err == SNAKEPIT_OK) {
        err = open_fleet(pit, place, config, pool, why);
        if (err == SNAKEPIT_OK) {
            sp_past_init(&place->past, sp_clock_now() / SP_NS_PER_MS);
            sp_growth_init(&place->growth);
            pit->pools[pit->made++] = place;
            return SNAKEPIT_OK;
        }
        sp_pool_close(place->pool);
    }
    sp_free(place);
    return err;
}
