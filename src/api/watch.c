// SPDX-License-Identifier: MIT
// GET /v1/watch. Each client has a timer. All that ask for the same interval are due at
// the same moments, so they share what is looked at and written. A client that does not
// read is sent nothing: once it does, it gets all that has changed meanwhile in one
// event.
#include "api/feed.h"

#include <string.h>

#include "api/ask.h"
#include "api/calls.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/percent.h"
#include "server/server.h"

#define INTERVAL_MS    250u
#define INTERVAL_LEAST 100u
#define INTERVAL_MOST  10000u
#define BUSY_MS        2u // until it is tried again, while another loop looks

// Owner: the loop of its exchange.
struct watcher {
    struct sp_exchange *exchange;
    struct sp_feed *feed;
    struct sp_timer timer;
    uint64_t interval_ms;
    struct sp_feed_place sent;
    struct sp_buf chosen; // the pools of that
};

static void free_watcher(struct watcher *watcher)
{
    sp_timer_stop(&watcher->timer);
    pthread_mutex_lock(&watcher->feed->lock);
    sp_feed_leave(watcher->feed);
    pthread_mutex_unlock(&watcher->feed->lock);
    sp_buf_fini(&watcher->chosen);
    sp_free(watcher);
}

static void on_gone(void *user)
{
    free_watcher(user);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// ---- One event ------------------------------------------------------------------

static enum sp_feed_seen may_see(const void *grant, const char *pool)
{
    if (!sp_grant_allows(grant, SP_ACCESS_OBSERVE, pool)) {
        return SP_FEED_HIDDEN;
    }
    return sp_grant_allows(grant, SP_ACCESS_ADMIN, pool) ? SP_FEED_SESSIONS
                                                         : SP_FEED_SEEN;
}

// The pools that the client sees now. If they are others than before, it begins anew.
static snakepit_err choose(struct watcher *watcher, const struct sp_grant *grant)
{
    struct sp_buf chosen = {0};
    snakepit_err err = sp_feed_choose(watcher->feed, may_see, grant, &chosen);
    const size_t before = watcher->chosen.size;
    if (err == SNAKEPIT_OK &&
        (chosen.size < before ||
         (before > 0 && memcmp(chosen.data, watcher->chosen.data, before) != 0))) {
        watcher->sent = (struct sp_feed_place){.look = 0};
    }
    sp_buf_fini(&watcher->chosen);
    watcher->chosen = chosen;
    return err;
}

// With the lock held. NO_MEMORY.
static snakepit_err send_event(struct watcher *watcher, const struct sp_grant *grant)
{
    struct sp_feed *feed = watcher->feed;
    sp_api_record_calls(watcher->exchange);
    snakepit_err err = sp_feed_look(feed);
    err = err == SNAKEPIT_OK ? choose(watcher, grant) : err;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_feed_place next;
    const struct sp_slice event =
        sp_feed_tell(feed, &watcher->sent, &watcher->chosen, &next);
    if (event.size == 0) {
        return SNAKEPIT_NO_MEMORY;
    }
    if (!sp_serve_loop_may_answer(watcher->exchange->loop, event.size)) {
        return SNAKEPIT_OK; // it gets the more next time
    }
    err = sp_exchange_send(watcher->exchange, event);
    watcher->sent = err == SNAKEPIT_OK ? next : watcher->sent;
    return err;
}

// False: the watcher is no more.
static bool try_event(struct watcher *watcher, const struct sp_grant *grant)
{
    snakepit_err err = send_event(watcher, grant);
    pthread_mutex_unlock(&watcher->feed->lock);
    if (err != SNAKEPIT_OK) {
        sp_exchange_fail(watcher->exchange);
        free_watcher(watcher);
    }
    return err == SNAKEPIT_OK;
}

// ---- When -----------------------------------------------------------------------

static void on_due(struct sp_timer *timer);

static void wait_ms(struct watcher *watcher, uint64_t ms)
{
    sp_timer_start(&watcher->exchange->loop->loop, &watcher->timer, on_due, ms, 0);
}

static void wait_for_next(struct watcher *watcher)
{
    const uint64_t interval = watcher->interval_ms * SP_NS_PER_MS;
    const uint64_t left = interval - sp_clock_now() % interval;
    wait_ms(watcher, (left + SP_NS_PER_MS - 1) / SP_NS_PER_MS);
}

// A token may have been revoked meanwhile; a daemon that drains waits for nobody who
// would watch for ever.
static bool is_over(const struct watcher *watcher, const struct sp_grant *grant)
{
    return grant == NULL || !sp_grant_allows(grant, SP_ACCESS_OBSERVE, NULL) ||
           sp_serve_loop_draining(watcher->exchange->loop);
}

static void on_due(struct sp_timer *timer)
{
    struct watcher *watcher = timer->user;
    const bool full = sp_exchange_room(watcher->exchange) == 0;
    const struct sp_grant *grant = sp_grant_of(watcher->exchange);
    if (is_over(watcher, grant)) {
        sp_exchange_end(watcher->exchange);
        free_watcher(watcher);
    } else if (!full && pthread_mutex_trylock(&watcher->feed->lock) != 0) {
        wait_ms(watcher, BUSY_MS);
    } else if (full || try_event(watcher, grant)) {
        wait_for_next(watcher);
    }
}

// ---- Its beginning --------------------------------------------------------------

static bool read_interval(struct sp_exchange *exchange, uint64_t *ms)
{
    const struct sp_slice value = sp_query_find(exchange->request.query, "interval_ms");
    *ms = INTERVAL_MS;
    if (value.data == NULL || sp_api_number(value, INTERVAL_LEAST, INTERVAL_MOST, ms)) {
        return true;
    }
    sp_api_fail(exchange,
                SNAKEPIT_INVALID_ARGUMENT,
                "interval_ms is a number of milliseconds, 100 to 10000");
    return false;
}

static void begin(struct sp_exchange *exchange, uint64_t interval_ms)
{
    struct watcher *watcher = sp_alloc(sizeof *watcher);
    if (watcher == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    watcher->exchange = exchange;
    watcher->feed = &sp_api_of(exchange)->feed;
    watcher->interval_ms = interval_ms;
    watcher->timer.user = watcher;
    exchange->user = watcher;
    exchange->listener = &listener;
    pthread_mutex_lock(&watcher->feed->lock);
    sp_feed_join(watcher->feed);
    pthread_mutex_unlock(&watcher->feed->lock);
    sp_api_begin(
        exchange,
        &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
    wait_ms(watcher, 0);
}

void sp_api_watch(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint64_t interval_ms;
    (void)params;
    if (!read_interval(exchange, &interval_ms)) {
        return;
    }
    if (exchange->request.method == SP_METHOD_HEAD) {
        sp_api_reply(
            exchange,
            &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
        return;
    }
    begin(exchange, interval_ms);
}
