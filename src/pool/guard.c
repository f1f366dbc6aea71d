// SPDX-License-Identifier: MIT
#include "pool/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/notice.h"

static struct sp_slice tool_of(const struct sp_pool *pool, const struct sp_call *call)
{
    return sp_parcel_tool(&pool->store, call->parcel);
}

bool sp_guard_holds(struct sp_pool *pool, struct sp_call *call)
{
    if (!sp_breakers_concern(&pool->breakers, tool_of(pool, call))) {
        return false;
    }
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

// For the log, which is written without the lock. Of too many the last ones are lost.
static void
keep_turn(struct sp_pool *pool, const struct sp_call *call, enum sp_breaker_turn turn)
{
    if (pool->turned == SP_TURNS_MOST) {
        return;
    }
    struct sp_turn *kept = &pool->turns[pool->turned++];
    pool->tells = true;
    struct sp_slice tool = tool_of(pool, call);
    kept->turn = turn;
    (void)snprintf(
        kept->tool, sizeof kept->tool, "%.*s", (int)tool.size, (const char *)tool.data);
}

static void log_turn(const struct sp_pool *pool, const struct sp_turn *turn)
{
    if (turn->turn == SP_BREAKER_OPENS) {
        sp_log(pool->log,
               breaker_open,
               .pool = pool->name,
               .tool = turn->tool,
               .open_ms = pool->options.breaker.open_ms);
    } else {
        sp_log(pool->log, breaker_closed, .pool = pool->name, .tool = turn->tool);
    }
}

// The pool stays: a program that is inside the library may not have closed it.
void sp_guard_unlock_and_log(struct sp_pool *pool)
{
    struct sp_turn turns[SP_TURNS_MOST];
    const struct sp_crowd_news news = sp_crowd_take(pool);
    uint32_t count = pool->turned;
    memcpy(turns, pool->turns, sizeof turns);
    pool->turned = 0;
    pool->tells = false;
    pthread_mutex_unlock(&pool->lock);
    sp_crowd_tell(pool, &news);
    for (uint32_t i = 0; i < count; i++) {
        log_turn(pool, &turns[i]);
    }
}

void sp_guard_note(struct sp_pool *pool,
                   struct sp_call *call,
                   snakepit_err err,
                   bool ran)
{
    if (pool->options.breaker.failures == 0 || call->checks) {
        call->probe = false;
        return;
    }
    const struct sp_attempt attempt = {.end = judge(pool, err, ran),
                                       .probe = call->probe,
                                       .call = sp_call_id_number(call->id),
                                       .newest = pool->last_call};
    enum sp_breaker_turn turn = sp_breakers_note(
        &pool->breakers, tool_of(pool, call), &attempt, sp_clock_now());
    call->probe = false;
    if (turn != SP_BREAKER_STAYS) {
        keep_turn(pool, call, turn);
    }
}

void sp_guard_note_end(struct sp_pool *pool, struct sp_call *call)
{
    if (call->parcel == NULL) {
        return;
    }
    snakepit_err err = call->err == SNAKEPIT_TOOL_FAILED
                           ? sp_call_fault_err(call->body, pool->options.relays)
                           : call->err;
    sp_guard_note(pool, call, err, false);
}

bool sp_guard_is_near(struct sp_pool *pool,
                      const struct sp_call *call,
                      snakepit_err err,
                      uint64_t now)
{
    return (pool->options.breaker.on & SP_ERROR_BIT(err)) != 0 &&
           sp_breakers_near(&pool->breakers, tool_of(pool, call), now);
}

// ---- What there is to see -----------------------------------------------------

static void fill_row(const struct sp_breakers *breakers,
                     const struct sp_breaker *breaker,
                     uint64_t now,
                     struct sp_breaker_row *row)
{
    uint64_t wait = sp_breaker_wait(breaker, now);
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
