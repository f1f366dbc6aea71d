// SPDX-License-Identifier: MIT
#include "pool/crowd.h"

#include "base/clock.h"
#include "pool/inside.h"
#include "telemetry/notice.h"

#define TELL_NS (10 * SP_NS_PER_S)

// Whether it is time to tell it again.
static bool is_due(uint64_t *told_at)
{
    uint64_t now = sp_clock_now();
    if (*told_at != 0 && now - *told_at < TELL_NS) {
        return false;
    }
    *told_at = now;
    return true;
}

void sp_crowd_note_wait(struct sp_pool *pool)
{
    const struct sp_seat *seat = sp_loads_least(&pool->loads);
    bool all_busy = seat != NULL && seat->load >= seat->capacity;
    if (all_busy && is_due(&pool->crowd.waits_told_at)) {
        pool->crowd.tells_waits = true;
        pool->tells = true;
    }
}

void sp_crowd_note_refusal(struct sp_pool *pool)
{
    pool->crowd.refused++;
    if (is_due(&pool->crowd.refuses_told_at)) {
        pool->crowd.tells_refuses = true;
        pool->tells = true;
    }
}

struct sp_crowd_news sp_crowd_take(struct sp_pool *pool)
{
    struct sp_crowd *crowd = &pool->crowd;
    const struct sp_seat *seat = sp_loads_least(&pool->loads);
    const uint32_t each = seat != NULL ? seat->capacity : 0;
    const struct sp_crowd_news news = {.waits = crowd->tells_waits,
                                       .refuses = crowd->tells_refuses,
                                       .workers = pool->loads.count,
                                       .capacity = pool->loads.count * each,
                                       .running = pool->placed + pool->orphans,
                                       .waiting = pool->line.count,
                                       .refused = crowd->refused};
    crowd->tells_waits = false;
    crowd->tells_refuses = false;
    crowd->refused = news.refuses ? 0 : crowd->refused;
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
    if (news->refuses) {
        sp_log(pool->log,
               pool_saturated,
               .pool = pool->name,
               .refused = news->refused,
               .waiting = news->waiting,
               .capacity = news->capacity);
    }
}
