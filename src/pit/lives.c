// SPDX-License-Identifier: MIT
// A program may have workers started again, or replaced. The loop does it.
#include <inttypes.h>

#include "base/thread.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/refuse.h"

typedef void wish_fn(struct sp_pit_pool *place);

static void wish_retry(struct sp_pit_pool *place)
{
    sp_pool_retry(place->pool);
    atomic_store(&place->retry, true);
}

static void wish_recycle(struct sp_pit_pool *place)
{
    if (!sp_pit_pool_is_remote(place)) {
        (void)sp_fleet_ask_to_recycle(&place->fleet, 0);
        atomic_store(&place->asked, true);
    }
}

// Of one pool, or of all.
static snakepit_err wish_for(snakepit *pit,
                             const char *pool,
                             const char *what,
                             wish_fn *wish,
                             snakepit_message *why)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_pit_is_connected(pit)) {
        return sp_ask_do(pit, what, &(struct sp_asked){.pool = pool}, why);
    }
    const struct sp_pit_pool *only = pool == NULL ? NULL : sp_pit_find(pit, pool);
    if (pool != NULL && only == NULL) {
        return sp_refuse_pool(pit, pool, why);
    }
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        if (only == NULL ? !sp_pit_pool_is_removed(place) : place == only) {
            wish(place);
        }
    }
    sp_loop_wake(&pit->loop);
    return SNAKEPIT_OK;
}

snakepit_err snakepit_pool_retry(snakepit *pit, const char *pool, snakepit_message *why)
{
    return wish_for(pit, pool, "pool_retry", wish_retry, why);
}

snakepit_err
snakepit_pool_recycle(snakepit *pit, const char *pool, snakepit_message *why)
{
    return wish_for(pit, pool, "pool_recycle", wish_recycle, why);
}

static snakepit_err
find(snakepit *pit, const char *pool, snakepit_message *why, struct sp_pit_pool **place)
{
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    *place = sp_pit_find(pit, pool);
    return *place != NULL ? SNAKEPIT_OK : sp_refuse_pool(pit, pool, why);
}

static snakepit_err have_it_done(snakepit *pit, struct sp_pit_pool *place)
{
    atomic_store(&place->asked, true);
    sp_loop_wake(&pit->loop);
    return SNAKEPIT_OK;
}

snakepit_err snakepit_pool_resize(snakepit *pit,
                                  const char *pool,
                                  uint32_t workers,
                                  snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_pit_pool *place;
    snakepit_err err = find(pit, pool, why, &place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.pool = pool, .workers = workers};
        return sp_ask_do(pit, "pool_resize", &asked, why);
    }
    if (!sp_fleet_ask_to_resize(&place->fleet, workers)) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "pool %s may not have %" PRIu32
                         " workers; its pool_size must be a range that this is in, "
                         "such as {min: 1, max: 8}",
                         sp_pool_name(place->pool),
                         workers);
    }
    return have_it_done(pit, place);
}

snakepit_err snakepit_worker_recycle(snakepit *pit,
                                     const char *pool,
                                     uint64_t worker,
                                     snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_pit_pool *place;
    snakepit_err err = find(pit, pool, why, &place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {.pool = pool, .worker = worker};
        return sp_ask_do(pit, "worker_recycle", &asked, why);
    }
    if (worker == 0 || !sp_fleet_ask_to_recycle(&place->fleet, worker)) {
        return sp_refuse_worker(sp_pool_name(place->pool), worker, why);
    }
    return have_it_done(pit, place);
}
