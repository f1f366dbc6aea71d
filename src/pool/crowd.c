// SPDX-License-Identifier: MIT
#include "pool/crowd.h"

#include "base/clock.h"
#include "pool/inside.h"
#include "telemetry/notice.h"

#define TELL_NS  (10 * SP_NS_PER_S) // between two lines of refusals
#define COUNT_NS SP_NS_PER_S        // from the first refusal until they are told
#define FREE_NS  (10 * SP_NS_PER_S) // without waiting, and it is not saturated any more

static bool all_are_busy(struct sp_pool *pool)
{
    const struct sp_seat *seat = sp_loads_least(&pool->loads);
    return seat != NULL && seat->load >= seat->capacity;
}

void sp_crowd_note_wait(struct sp_pool *pool)
{
    struct sp_crowd *crowd = &pool->crowd;
    if (!all_are_busy(pool)) {
        return;
    }
    crowd->waited_at = sp_clock_now();
    if (crowd->saturated_at == 0) {
        crowd->saturated_at = crowd->waited_at;
        crowd->tells_waits = true;
        pool->tells = true;
    }
}

void sp_crowd_note_refusal(struct sp_pool *pool)
{
    struct sp_crowd *crowd = &pool->crowd;
    crowd->waited_at = sp_clock_now();
    if (crowd->refused++ == 0) {
        crowd->refused_at = crowd->waited_at;
    }
}

static uint32_t capacity_of(struct sp_pool *pool)
{
    const struct sp_seat *seat = sp_loads_least(&pool->loads);
    return seat != NULL ? pool->loads.count * seat->capacity : 0;
}

struct sp_crowd_news sp_crowd_take(struct sp_pool *pool)
{
    struct sp_crowd *crowd = &pool->crowd;
    const struct sp_crowd_news news = {.waits = crowd->tells_waits,
                                       .workers = pool->loads.count,
                                       .capacity = capacity_of(pool),
                                       .running = pool->placed + pool->orphans,
                                       .waiting = pool->line.count};
    crowd->tells_waits = false;
    return news;
}

void sp_crowd_tell(const struct sp_pool *pool, const struct sp_crowd_news *news)
{
    if (news->waits) {
        sp_log(pool->log,
               worker_capacity_saturated,
               .pool = pool->name,
               .workers = news->workers,
               .capacity = news->capacity,
               .running = news->running,
               .waiting = news->waiting);
    }
}

// How many calls were refused, if that is to be told now; else 0.
static uint64_t take_refused(struct sp_crowd *crowd, uint64_t now)
{
    const bool lately =
        crowd->refuses_told_at != 0 && now - crowd->refuses_told_at < TELL_NS;
    const uint64_t refused = crowd->refused;
    if (refused == 0 || lately || now - crowd->refused_at < COUNT_NS) {
        return 0;
    }
    crowd->refuses_told_at = now;
    crowd->refused = 0;
    return refused;
}

// For how long it was saturated, if it is not any more; else 0.
static uint64_t end_of_it(struct sp_pool *pool, uint64_t now)
{
    struct sp_crowd *crowd = &pool->crowd;
    if (pool->line.count > 0 && all_are_busy(pool)) {
        crowd->waited_at = now;
    }
    if (crowd->saturated_at == 0 || now - crowd->waited_at < FREE_NS) {
        return 0;
    }
    const uint64_t lasted = crowd->waited_at - crowd->saturated_at;
    crowd->saturated_at = 0;
    return lasted > 0 ? lasted : 1;
}

void sp_crowd_look(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const uint64_t now = sp_clock_now();
    const uint64_t lasted = end_of_it(pool, now);
    const uint64_t refused = take_refused(&pool->crowd, now);
    const uint32_t workers = pool->loads.count;
    const uint32_t waiting = pool->line.count;
    const uint32_t capacity = capacity_of(pool);
    pthread_mutex_unlock(&pool->lock);
    if (refused > 0) {
        sp_log(pool->log,
               pool_saturated,
               .pool = pool->name,
               .refused = refused,
               .waiting = waiting,
               .capacity = capacity);
    }
    if (lasted > 0) {
        sp_log(pool->log,
               worker_capacity_free,
               .pool = pool->name,
               .workers = workers,
               .saturated_ms = lasted / SP_NS_PER_MS);
    }
}
