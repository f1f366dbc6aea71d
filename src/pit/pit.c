// SPDX-License-Identifier: MIT
// Open, wait until ready, close. The order of closing is the one thing to know: calls
// end first, then callbacks have run, then workers leave, then the loop ends, then
// memory goes.
#include "pit/pit.h"
#include "pit/detect.h"
#include "pit/end.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ipc/futex.h"
#include "pit/refuse.h"
#include "telemetry/notice.h"
#include "telemetry/spans.h"

// ---- Open ---------------------------------------------------------------------

static void set_events(snakepit *pit, const snakepit_open_options *options)
{
    pit->events.log = &pit->log;
    if (options != NULL) {
        pit->events.event = options->event;
        pit->events.user = options->event_user;
    }
    pit->events.also = pit->outlets.ear.event;
    pit->events.also_user = pit->outlets.ear.event_user;
}

static void set_session_ended(snakepit *pit, const snakepit_open_options *options)
{
    if (options != NULL) {
        pit->session_ended = options->session_ended;
        pit->session_user = options->session_user;
    }
}

// Of the traces that begin here. Those of a client do where the daemon has none.
static double trace_sample(const snakepit *pit)
{
    return sp_pit_is_connected(pit) ? 0 : pit->config->trace_sample / 100.0;
}

static snakepit_err
open_parts(snakepit *pit, const snakepit_open_options *options, snakepit_message *why)
{
    snakepit_err err = sp_queues_open(pit, why);
    err = err == SNAKEPIT_OK ? sp_pit_open_log(pit, options, why) : err;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_pit_is_connected(pit) ? SNAKEPIT_OK : sp_watcher_new(&pit->watcher);
    if (err == SNAKEPIT_UNSUPPORTED) {
        sp_log(&pit->log,
               pit_no_futex_waitv,
               .consequence = "deaths of large workers are seen later, by pidfd");
    } else if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_loop_init(&pit->loop, sp_pit_woken, pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (options != NULL && options->spans != NULL) {
        err = sp_spans_open(
            options->spans, options->spans_user, trace_sample(pit), &pit->spans);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        pit->events.spans = pit->spans;
    }
    pit->pools = (struct sp_pit_pool **)sp_alloc_array(SP_PIT_POOLS_MOST,
                                                       sizeof(struct sp_pit_pool *));
    return pit->pools == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

static void free_config(snakepit *pit)
{
    if (!sp_pit_is_connected(pit)) {
        sp_config_free(pit->config);
    }
    pit->config = NULL;
}

static void free_pit(snakepit *pit)
{
    sp_pit_free_pools(pit);
    pthread_mutex_destroy(&pit->reload_lock);
    sp_sessions_fini(&pit->sessions);
    sp_host_tools_fini(&pit->tools);
    sp_watcher_free(pit->watcher);
    sp_daemon_free(pit->daemon);
    sp_told_texts_fini(&pit->told);
    sp_spans_close(pit->spans);
    sp_queues_fini(&pit->queues);
    sp_drain_fini(&pit->drain);
    free_config(pit);
    sp_log_writer_close(pit->log_writer);
    sp_log_writer_close(pit->outlets.news);
    pit->magic = 0;
    sp_free(pit);
}

// INVALID_ARGUMENT, explained, for options that are none.
static snakepit_err read_options(const snakepit_open_options **options,
                                 snakepit_open_options *room,
                                 snakepit_message *why)
{
    const char *wrong;
    *options = sp_options_read(*options, sizeof *room, room, &wrong);
    if (wrong != NULL && why != NULL) {
        (void)snprintf(why->text, sizeof why->text, "%s", wrong);
    }
    return wrong == NULL ? SNAKEPIT_OK : SNAKEPIT_INVALID_ARGUMENT;
}

snakepit_err sp_pit_new(struct sp_config *config,
                        const snakepit_open_options *options,
                        const struct sp_pit_ear *ear,
                        snakepit **pit,
                        snakepit_message *why)
{
    snakepit_open_options room;
    snakepit *made = NULL;
    snakepit_err err = read_options(&options, &room, why);
    if (err == SNAKEPIT_OK) {
        made = sp_alloc(sizeof *made);
        err = made == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    made->magic = SP_PIT_MAGIC;
    made->process = sp_fork_here();
    made->config = config;
    made->connected = config == NULL;
    SP_CHECK(pthread_mutex_init(&made->reload_lock, NULL) == 0);
    sp_told_texts_init(&made->told);
    sp_queues_init(&made->queues);
    sp_drain_init(&made->drain);
    (void)sp_clock_ticks_per_us(); // measured here, not in the first call
    if (ear != NULL) {
        made->outlets.ear = *ear;
    }
    set_events(made, options);
    set_session_ended(made, options);
    sp_pit_open_sessions(made);
    sp_host_tools_init(&made->tools, &made->hash_key);
    err = open_parts(made, options, why);
    if (err != SNAKEPIT_OK) {
        made->config = NULL;
        sp_pit_abandon(made);
        return err;
    }
    *pit = made;
    return SNAKEPIT_OK;
}

void sp_pit_abandon(snakepit *pit)
{
    sp_sessions_close(&pit->sessions);
    sp_pit_stop_loop(pit);
    free_pit(pit);
}

// ---- Ready --------------------------------------------------------------------

// What is waited for in a pool.
typedef bool wanted_fn(const struct sp_pool_view *view);

static bool is_whole(const struct sp_pool_view *view)
{
    return view->state == SP_POOL_READY;
}

static bool serves(const struct sp_pool_view *view)
{
    return view->seats > 0;
}

// NOT_FOUND: not yet. A pool that is down may be up again in time.
static snakepit_err
state_of(struct sp_pool *pool, wanted_fn *wanted, snakepit_message *why)
{
    struct sp_pool_view view;
    snakepit_message failure;
    sp_pool_look(pool, &view, &failure);
    if (view.refuses == SNAKEPIT_OK || view.refuses == SNAKEPIT_POOL_DOWN) {
        return wanted(&view) ? SNAKEPIT_OK : SNAKEPIT_NOT_FOUND;
    }
    if (view.refuses == SNAKEPIT_POOL_FAILED && why != NULL) {
        *why = failure;
    }
    return view.refuses;
}

// What is waited for: in one pool, or in all.
struct awaited {
    snakepit *pit;
    const struct sp_pool *only; // or NULL
    wanted_fn *wanted;
};

static bool concerns(const struct awaited *awaited, const struct sp_pit_pool *place)
{
    return awaited->only == NULL ? !sp_pit_pool_is_removed(place)
                                 : place->pool == awaited->only;
}

static snakepit_message reason_of(snakepit *pit, const struct sp_pit_pool *place)
{
    pthread_mutex_lock(&pit->reload_lock);
    snakepit_message reason = place->remote_reason;
    pthread_mutex_unlock(&pit->reload_lock);
    return reason;
}

// Of a pool that a daemon has, which tells it.
static snakepit_err state_of_remote(snakepit *pit,
                                    struct sp_pit_pool *place,
                                    wanted_fn *wanted,
                                    snakepit_message *why)
{
    snakepit_message failure;
    struct sp_pool_view view;
    sp_pool_look(place->pool, &view, &failure);
    if (view.refuses != SNAKEPIT_OK || !atomic_load(&place->remote_refuses)) {
        const bool there = wanted == is_whole ? atomic_load(&place->remote_ready)
                                              : atomic_load(&place->remote_serves);
        return view.refuses != SNAKEPIT_OK ? view.refuses
               : there                     ? SNAKEPIT_OK
                                           : SNAKEPIT_NOT_FOUND;
    }
    const snakepit_message reason = reason_of(pit, place);
    return sp_refuse(why, SNAKEPIT_POOL_FAILED, "%s", reason.text);
}

static snakepit_err state_of_place(snakepit *pit,
                                   struct sp_pit_pool *place,
                                   wanted_fn *wanted,
                                   snakepit_message *why)
{
    return sp_pit_pool_is_remote(place) ? state_of_remote(pit, place, wanted, why)
                                        : state_of(place->pool, wanted, why);
}

// OK: all of them; NOT_FOUND: some are not there yet; else the first failure.
static snakepit_err state_of_all(const struct awaited *awaited, snakepit_message *why)
{
    snakepit_err result = SNAKEPIT_OK;
    for (size_t i = 0; i < awaited->pit->count; i++) {
        struct sp_pit_pool *place = awaited->pit->pools[i];
        snakepit_err err =
            concerns(awaited, place)
                ? state_of_place(awaited->pit, place, awaited->wanted, why)
                : SNAKEPIT_OK;
        if (err == SNAKEPIT_POOL_REMOVED && awaited->only == NULL) {
            err = SNAKEPIT_OK; // in this moment
        }
        if (err != SNAKEPIT_OK && err != SNAKEPIT_NOT_FOUND) {
            return err;
        }
        result = err == SNAKEPIT_NOT_FOUND ? err : result;
    }
    return result;
}

static void explain(snakepit_message *why, const char *pool, const char *text)
{
    if (why != NULL) {
        const char *which = pool == NULL ? "all pools" : pool;
        (void)snprintf(why->text, sizeof why->text, "%s: %s", which, text);
    }
}

// Names the pool that is late and, if its starts fail, why.
static void explain_lateness(const struct awaited *awaited, snakepit_message *why)
{
    snakepit *pit = awaited->pit;
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        struct sp_pool *pool = place->pool;
        if (!concerns(awaited, place) ||
            state_of_place(pit, place, awaited->wanted, NULL) == SNAKEPIT_OK) {
            continue;
        }
        char text[900];
        struct sp_pool_view view;
        snakepit_message failure;
        sp_pool_look(pool, &view, &failure);
        if (sp_pit_pool_is_remote(place)) {
            failure = reason_of(pit, place);
        }
        (void)snprintf(text,
                       sizeof text,
                       "not ready in time%s%.800s",
                       failure.text[0] != 0 ? "; the last start failed: " : "",
                       failure.text);
        explain(why, sp_pool_name(pool), text);
        return;
    }
}

static snakepit_err
await(const struct awaited *awaited, uint64_t deadline, snakepit_message *why)
{
    snakepit *pit = awaited->pit;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&pit->changes, memory_order_acquire);
        snakepit_err err = state_of_all(awaited, why);
        if (err != SNAKEPIT_NOT_FOUND) {
            return err;
        }
        if (sp_clock_now() >= deadline) {
            explain_lateness(awaited, why);
            return SNAKEPIT_DEADLINE_EXCEEDED;
        }
        (void)sp_futex_wait(&pit->changes, seen, deadline);
    }
}

// Until a daemon was there: before that nobody knows its pools.
static snakepit_err
await_daemon(snakepit *pit, uint64_t deadline, snakepit_message *why)
{
    for (;;) {
        uint32_t seen = atomic_load_explicit(&pit->changes, memory_order_acquire);
        snakepit_err err = sp_daemon_missing(pit->daemon, why);
        if (err == SNAKEPIT_OK || err == SNAKEPIT_SHUTTING_DOWN ||
            sp_clock_now() >= deadline) {
            return err;
        }
        (void)sp_futex_wait(&pit->changes, seen, deadline);
    }
}

static snakepit_err await_known(snakepit *pit,
                                const char *name,
                                wanted_fn *wanted,
                                uint64_t deadline,
                                snakepit_message *why)
{
    struct awaited awaited = {.pit = pit, .wanted = wanted};
    snakepit_err err =
        sp_pit_is_connected(pit) ? await_daemon(pit, deadline, why) : SNAKEPIT_OK;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    awaited.only = name == NULL ? NULL : sp_pit_pool(pit, name);
    return name != NULL && awaited.only == NULL ? sp_refuse_pool(pit, name, why)
                                                : await(&awaited, deadline, why);
}

static snakepit_err await_pools_of(snakepit *pit,
                                   const char *name,
                                   wanted_fn *wanted,
                                   uint32_t timeout_ms,
                                   snakepit_message *why)
{
    SP_UNCANCELLED;
    uint64_t deadline = sp_clock_now() + timeout_ms * SP_NS_PER_MS;
    snakepit_err usable = sp_refuse_no_pit(pit, why);
    if (usable != SNAKEPIT_OK) {
        return usable;
    }
    atomic_fetch_add(&pit->waiters, 1);
    snakepit_err err = await_known(pit, name, wanted, deadline, why);
    atomic_fetch_sub(&pit->waiters, 1); // after which it may be freed
    if (err == SNAKEPIT_SHUTTING_DOWN) {
        explain(why, name, "the pit is closing");
    }
    return err;
}

snakepit_err snakepit_await_ready(snakepit *pit,
                                  const char *pool,
                                  uint32_t timeout_ms,
                                  snakepit_message *why)
{
    return await_pools_of(pit, pool, is_whole, timeout_ms, why);
}

snakepit_err snakepit_await_serving(snakepit *pit,
                                    const char *pool,
                                    uint32_t timeout_ms,
                                    snakepit_message *why)
{
    return await_pools_of(pit, pool, serves, timeout_ms, why);
}

// ---- Close --------------------------------------------------------------------

typedef bool still_fn(struct sp_pool *pool);

static bool any_pool(const snakepit *pit, still_fn *still)
{
    for (size_t i = 0; i < pit->count; i++) {
        if (still(pit->pools[i]->pool)) {
            return true;
        }
    }
    return false;
}

static void await_pools(snakepit *pit, still_fn *still, uint64_t deadline)
{
    for (;;) {
        uint32_t seen = atomic_load_explicit(&pit->changes, memory_order_acquire);
        if (!any_pool(pit, still) || sp_clock_now() >= deadline) {
            return;
        }
        (void)sp_futex_wait(&pit->changes, seen, deadline);
    }
}

// They have been woken, since all pools close, and look at them once more.
static void await_waiters(snakepit *pit)
{
    uint32_t waiters;
    while ((waiters = atomic_load(&pit->waiters)) > 0) {
        (void)sp_futex_wait(&pit->waiters, waiters, sp_clock_now() + SP_NS_PER_MS);
    }
}

// In a forked child. Its descriptors and its segments are gone since the fork. What the
// parent's threads may have been changing then cannot be walked through, and stays: a
// copy that costs nothing as long as it is not written to.
static void leave(snakepit *pit)
{
    free_config(pit);
    sp_log_writer_abandon(pit->log_writer);
    sp_log_writer_abandon(pit->outlets.news);
    pit->log_writer = NULL;
    pit->outlets.news = NULL;
}

static void begin_close(snakepit *pit)
{
    // A reload that is under way ends soon; none begins after that.
    pthread_mutex_lock(&pit->reload_lock);
    pit->closing = true;
    pthread_mutex_unlock(&pit->reload_lock);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_begin_close(pit->pools[i]->pool);
    }
}

void sp_pit_end_calls(snakepit *pit)
{
    SP_UNCANCELLED;
    begin_close(pit);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_end_all(pit->pools[i]->pool);
    }
}

void snakepit_close(snakepit *pit, uint32_t grace_ms)
{
    SP_UNCANCELLED;
    if (pit == NULL) {
        return;
    }
    SP_CHECK(pit->magic == SP_PIT_MAGIC);
    if (!sp_pit_is_here(pit)) {
        leave(pit);
        return;
    }
    uint64_t deadline = sp_clock_now() + grace_ms * SP_NS_PER_MS;
    begin_close(pit);
    await_pools(pit, sp_pool_is_busy, deadline);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_end_all(pit->pools[i]->pool);
    }
    if (!sp_pit_is_connected(pit)) { // else the daemon waits for them
        await_pools(pit, sp_pool_awaits_tools, SP_NEVER);
    }
    sp_drain_finish(pit);
    sp_queues_close(pit);
    sp_sessions_close(&pit->sessions);
    sp_pit_stop_loop(pit);
    await_waiters(pit);
    free_pit(pit);
}
