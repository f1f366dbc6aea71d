// SPDX-License-Identifier: MIT
#include "pool/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static struct sp_slice tool_of(const struct sp_pool *pool, const struct sp_call *call)
{
    const struct sp_parcel *parcel = call->parcel;
    return (struct sp_slice){pool->store.segment.base + parcel->block,
                             parcel->name_size};
}

bool sp_guard_holds(struct sp_pool *pool, struct sp_call *call)
{
    uint64_t now = sp_clock_now();
    uint64_t again_at = now;
    enum sp_passage passage =
        sp_breakers_pass(&pool->breakers, tool_of(pool, call), now, &again_at);
    call->probe = passage == SP_PASSAGE_AS_PROBE;
    if (passage != SP_PASSAGE_REFUSED) {
        return false;
    }
    uint64_t ms = (again_at - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS;
    call->retry_after_ms = ms > 0 ? (uint32_t)ms : 1;
    return true;
}

// What the end of a call says of its tool. A tool that was there and answered is well,
// unless the configuration calls its error a failure.
static enum sp_attempt_end judge(const struct sp_pool *pool, snakepit_err err, bool ran)
{
    bool late = err == SNAKEPIT_DEADLINE_EXCEEDED && !ran;
    if ((pool->options.breaker.on & SP_ERROR_BIT(err)) != 0 && !late) {
        return SP_ATTEMPT_FAILED;
    }
    switch (err) {
    case SNAKEPIT_OK:
    case SNAKEPIT_TOOL_FAILED:
    case SNAKEPIT_UNKNOWN_TOOL:
    case SNAKEPIT_UNSERIALISABLE:
    case SNAKEPIT_MALFORMED:
    case SNAKEPIT_QUOTA_EXCEEDED:
        return SP_ATTEMPT_SUCCEEDED;
    default:
        return SP_ATTEMPT_UNDECIDED;
    }
}

static void log_turn(const struct sp_pool *pool,
                     const struct sp_call *call,
                     enum sp_breaker_turn turn)
{
    char name[256];
    char quoted[264];
    struct sp_slice tool = tool_of(pool, call);
    (void)snprintf(name, sizeof name, "%.*s", (int)tool.size, (const char *)tool.data);
    (void)sp_log_quote(name, quoted, sizeof quoted);
    if (turn == SP_BREAKER_OPENS) {
        sp_log(pool->log,
               SP_LOG_WARNING,
               "breaker.open",
               "pool=%s tool=%s open_ms=%u",
               pool->name,
               quoted,
               pool->options.breaker.open_ms);
    } else if (turn == SP_BREAKER_CLOSES) {
        sp_log(pool->log,
               SP_LOG_INFO,
               "breaker.closed",
               "pool=%s tool=%s",
               pool->name,
               quoted);
    }
}

void sp_guard_note(struct sp_pool *pool,
                   struct sp_call *call,
                   snakepit_err err,
                   bool ran)
{
    if (pool->options.breaker.failures == 0 || call->checks) {
        return;
    }
    enum sp_attempt_end end = judge(pool, err, ran);
    enum sp_breaker_turn turn = sp_breakers_note(
        &pool->breakers, tool_of(pool, call), end, call->probe, sp_clock_now());
    call->probe = false;
    if (turn != SP_BREAKER_STAYS) {
        log_turn(pool, call, turn);
    }
}

void sp_guard_end(struct sp_pool *pool, struct sp_call *call)
{
    if (call->parcel == NULL) {
        return;
    }
    snakepit_err err =
        call->err == SNAKEPIT_TOOL_FAILED ? sp_call_fault_err(call->body) : call->err;
    sp_guard_note(pool, call, err, false);
}

bool sp_guard_is_near(struct sp_pool *pool, const struct sp_call *call, uint64_t now)
{
    return sp_breakers_near(&pool->breakers, tool_of(pool, call), now);
}

// ---- What there is to see -----------------------------------------------------

static void fill_row(const struct sp_breakers *breakers,
                     const struct sp_breaker *breaker,
                     uint64_t now,
                     struct sp_breaker_row *row)
{
    uint64_t wait = sp_breaker_wait(breakers, breaker, now);
    (void)snprintf(row->tool,
                   sizeof row->tool,
                   "%.*s",
                   (int)breaker->name.size,
                   breaker->name.text);
    row->state = sp_breaker_state(breaker, now);
    row->failures = sp_breaker_failures(breakers, breaker, now);
    row->retry_after_ms = (uint32_t)((wait + SP_NS_PER_MS - 1) / SP_NS_PER_MS);
}

size_t sp_pool_breakers(struct sp_pool *pool, sp_breaker_row_fn *put, void *user)
{
    struct sp_breaker_row row;
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    uint64_t now = sp_clock_now();
    for (struct sp_link *link = pool->breakers.all.next; link != &pool->breakers.all;
         link = link->next) {
        fill_row(&pool->breakers, SP_ENTRY(link, struct sp_breaker, link), now, &row);
        put(user, count++, &row);
    }
    pthread_mutex_unlock(&pool->lock);
    return count;
}
