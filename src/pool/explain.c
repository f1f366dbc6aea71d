// SPDX-License-Identifier: MIT
// What the pool says of the calls that it ends itself: what, where, and the remedy.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pool/inside.h"
#include "pool/orphan.h"

static void sentence_of_lateness(const struct sp_pool *pool,
                                 const struct sp_failure *failure,
                                 char *text,
                                 size_t size)
{
    unsigned long long worker = failure->worker;
    if (strcmp(failure->stage, "line") == 0 && pool->alone_since != 0) {
        const uint64_t ms = (sp_clock_now() - pool->alone_since) / SP_NS_PER_MS;
        (void)snprintf(text,
                       size,
                       "no daemon has taken calls at \"unix:%.200s\" for %llu ms, and "
                       "the call's time ran out, so it was not sent; start the daemon "
                       "by snakepit serve",
                       pool->options.daemon,
                       (unsigned long long)ms);
    } else if (strcmp(failure->stage, "line") == 0) {
        (void)snprintf(text,
                       size,
                       "the call's time ran out in the line of pool \"%s\"; give it "
                       "a longer timeout, or the pool a longer queue_timeout_ms or "
                       "more workers",
                       pool->name);
    } else if (strcmp(failure->stage, "worker") == 0) {
        (void)snprintf(
            text,
            size,
            "the call's time ran out before worker %llu of pool \"%s\" began "
            "it; give it a longer timeout, or the pool more workers",
            worker,
            pool->name);
    } else {
        (void)snprintf(
            text,
            size,
            "the call's time ran out while worker %llu of pool \"%s\" ran it; "
            "the tool was told to stop; give it a longer timeout, or less to do",
            worker,
            pool->name);
    }
}

static void sentence_of_breaker(const struct sp_call *call, char *text, size_t size)
{
    const struct sp_pool *pool = call->pool;
    const struct sp_parcel *parcel = call->parcel;
    (void)snprintf(
        text,
        size,
        "too many calls of tool \"%.*s\" in pool \"%s\" have failed lately, so "
        "its breaker is open; send the call again in %u ms",
        (int)parcel->name_size,
        (const char *)pool->store.segment.base + parcel->block,
        pool->name,
        call->retry_after_ms);
}

// False: the error's own text says all there is.
static bool sentence(const struct sp_call *call,
                     const struct sp_failure *failure,
                     char *text,
                     size_t size)
{
    const struct sp_pool *pool = call->pool;
    switch (failure->err) {
    case SNAKEPIT_BREAKER_OPEN:
        sentence_of_breaker(call, text, size);
        return true;
    case SNAKEPIT_DEADLINE_EXCEEDED:
        sentence_of_lateness(pool, failure, text, size);
        return true;
    case SNAKEPIT_SATURATED:
        (void)snprintf(text,
                       size,
                       "the line of pool \"%s\" is full with %u calls; send the call "
                       "later, or raise max_queue or pool_size",
                       pool->name,
                       pool->options.max_queue);
        return true;
    case SNAKEPIT_WORKER_BUSY:
        (void)snprintf(
            text,
            size,
            "the worker of pool \"%s\" that the session is tied to is busy; "
            "send the call later, or let it wait with affinity: strict_queue",
            pool->name);
        return true;
    case SNAKEPIT_SESSION_LOST:
        (void)snprintf(
            text,
            size,
            "the worker of pool \"%s\" that the session was tied to is gone; "
            "set the session's state up again and send the call anew",
            pool->name);
        return true;
    case SNAKEPIT_POOL_REMOVED:
        (void)snprintf(text,
                       size,
                       "pool \"%s\" was removed when the configuration was reloaded; "
                       "name another pool",
                       pool->name);
        return true;
    default:
        return false;
    }
}

static uint32_t ms_since(uint64_t due)
{
    uint64_t now = sp_clock_now();
    return now > due ? (uint32_t)((now - due) / SP_NS_PER_MS) : 0;
}

// What is known already of how a call was stopped.
static void tell_stop(const struct sp_call *call, struct sp_failure *told)
{
    bool late = told->err == SNAKEPIT_DEADLINE_EXCEEDED;
    bool in_line = told->stage != NULL && strcmp(told->stage, "line") == 0;
    if (call->orphan != NULL) {
        told->stop = SNAKEPIT_STOP_COOPERATIVE;
        told->tool_runs = true;
    } else if (late || told->err == SNAKEPIT_CANCELLED) {
        told->stop = in_line ? SNAKEPIT_STOP_IN_LINE : SNAKEPIT_STOP_UNSTARTED;
        call->pool->counters.stopped[told->stop]++;
    }
    if (late) {
        told->late_ms = ms_since(in_line ? call->line_deadline : call->deadline);
    }
    if (late && in_line) {
        sp_times_left(&call->pool->times, call);
    }
}

void sp_pool_explain(struct sp_call *call, const struct sp_failure *failure)
{
    char text[512];
    struct sp_failure told = *failure;
    tell_stop(call, &told);
    if (told.message == NULL && sentence(call, failure, text, sizeof text)) {
        told.message = text;
    }
    sp_call_set_failure(call, &told);
}
