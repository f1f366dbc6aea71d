// SPDX-License-Identifier: MIT
// What there is, and how it does.
#include <string.h>

#include "base/thread.h"
#include "pit/ask.h"
#include "pit/failure.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pit/rows.h"

size_t snakepit_pool_count(const snakepit *pit)
{
    size_t count = 0;
    for (size_t i = 0; pit != NULL && i < pit->count; i++) {
        count += !sp_pit_pool_is_removed(pit->pools[i]);
    }
    return count;
}

const char *snakepit_pool_name(const snakepit *pit, size_t index)
{
    for (size_t i = 0; pit != NULL && i < pit->count; i++) {
        if (!sp_pit_pool_is_removed(pit->pools[i]) && index-- == 0) {
            return sp_pool_name(pit->pools[i]->pool);
        }
    }
    return NULL;
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
    for (uint32_t err = 0; err < SP_ERRORS; err++) {
        stats->calls += counters->ended[err];
    }
    stats->failures = stats->calls - counters->ended[SNAKEPIT_OK];
    stats->saturated = counters->ended[SNAKEPIT_SATURATED];
    stats->timeouts = counters->ended[SNAKEPIT_DEADLINE_EXCEEDED];
    stats->cancelled = counters->ended[SNAKEPIT_CANCELLED];
    stats->worker_starts = counters->workers[SP_COUNTED_STARTS];
    stats->worker_start_failures = counters->workers[SP_COUNTED_FAILED_STARTS];
    stats->worker_deaths = counters->workers[SP_COUNTED_DEATHS];
    stats->worker_recycles = counters->workers[SP_COUNTED_RECYCLES];
    stats->worker_isolations = counters->workers[SP_COUNTED_ISOLATIONS];
    stats->health_check_failures = counters->workers[SP_COUNTED_FAILED_CHECKS];
    stats->profile_switches = counters->workers[SP_COUNTED_SWITCHES];
    stats->profile_switches_undone = counters->workers[SP_COUNTED_SWITCHES_UNDONE];
    stats->violations = counters->violations;
    stats->retries = counters->retries;
    stats->retries_refused = counters->retries_refused;
    stats->breaker_refused = counters->ended[SNAKEPIT_BREAKER_OPEN];
}

static void fill_stops(const struct sp_pool_counters *counters,
                       snakepit_pool_stats *stats)
{
    stats->stopped_in_line = counters->stopped[SNAKEPIT_STOP_IN_LINE];
    stats->stopped_unstarted = counters->stopped[SNAKEPIT_STOP_UNSTARTED];
    stats->stopped_cooperatively = counters->stopped[SNAKEPIT_STOP_COOPERATIVE];
    stats->stopped_by_exception = counters->stopped[SNAKEPIT_STOP_EXCEPTION];
    stats->stopped_by_kill = counters->stopped[SNAKEPIT_STOP_KILLED];
    stats->stop_total_us = counters->stop_total_us;
    stats->stop_max_us = counters->stop_max_us;
}

static void fill_memory(struct sp_fleet *fleet, snakepit_pool_stats *stats)
{
    const struct sp_fleet_memory memory = sp_fleet_memory_now(fleet);
    stats->processes = memory.processes;
    stats->memory_per_process = memory.each;
    stats->total_memory = memory.total;
}

const char *sp_pit_failure(snakepit *pit, const char *pool, snakepit_message *failure)
{
    SP_UNCANCELLED;
    failure->text[0] = '\0';
    if (sp_refuse_no_pit(pit, NULL) != SNAKEPIT_OK) {
        return failure->text;
    }
    struct sp_pool_view view;
    struct sp_pit_pool *place = sp_pit_find(pit, pool);
    if (place != NULL) {
        sp_pool_look(place->pool, &view, failure);
        // One that has all its workers may still wait for successors of some.
        if (view.state == SP_POOL_READY && !view.fails_to_start) {
            failure->text[0] = '\0'; // it has got over it
        }
    }
    return failure->text;
}

static snakepit_err
ask_stats(snakepit *pit, const char *name, snakepit_pool_stats *stats)
{
    snakepit_pool_stats now = {0};
    const struct sp_asked asked = {.told = &sp_told_pool, .pool = name};
    snakepit_err err = sp_ask_one(pit, "pool_get_stats", &asked, &now);
    if (err == SNAKEPIT_OK && !sp_struct_write(stats, &now, sizeof now)) {
        err = SNAKEPIT_INVALID_ARGUMENT;
    }
    return err;
}

snakepit_err
snakepit_pool_get_stats(snakepit *pit, const char *name, snakepit_pool_stats *stats)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || stats == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    struct sp_pit_pool *place = sp_pit_find(pit, name);
    if (place == NULL) {
        return sp_refuse_pool(pit, name, NULL);
    }
    if (sp_pit_is_connected(pit)) {
        return ask_stats(pit, sp_pool_name(place->pool), stats);
    }
    struct sp_pool *pool = place->pool;
    struct sp_pool_view view;
    sp_pool_look(pool, &view, NULL);
    snakepit_pool_stats now = {
        .name = sp_pool_name(pool),
        .profile = view.profile,
        .state = sp_pit_pool_is_removed(place) ? "removed" : state_name(view.state),
        .workers = view.workers,
        .workers_ready = view.seats,
        .threads_per_worker = view.threads,
        .capacity = view.workers * view.threads,
        .running = view.running,
        .waiting = view.waiting,
        .shared_bytes = sp_arena_used(&sp_pool_store(pool)->arena),
        .breakers_open = view.breakers,
    };
    now.stopping = view.stopping;
    now.available_capacity = sp_pool_free_places(pool);
    now.workers_outdated = sp_fleet_outdated_now(&place->fleet);
    fill_memory(&place->fleet, &now);
    fill_counters(&view.counters, &now);
    fill_stops(&view.counters, &now);
    return sp_struct_write(stats, &now, sizeof now) ? SNAKEPIT_OK
                                                    : SNAKEPIT_INVALID_ARGUMENT;
}

static void put_worker(void *user, size_t index, const snakepit_worker_info *row)
{
    sp_rows_put(user, index, row, sizeof *row);
}

snakepit_err snakepit_pool_workers(snakepit *pit,
                                   const char *name,
                                   snakepit_worker_info *rows,
                                   size_t room,
                                   size_t *count)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_rows_check(pit, rows, room, count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_rows given = {(uint8_t *)rows, room > 0 ? rows->size : 0, room};
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked question = {.told = &sp_told_worker, .pool = name};
        return sp_ask_rows(pit, "pool_workers", &question, &given, count);
    }
    struct sp_pit_pool *place = sp_pit_find(pit, name);
    if (place == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    *count = sp_fleet_workers(&place->fleet, put_worker, &given);
    return SNAKEPIT_OK;
}

snakepit_err snakepit_worker_health(snakepit *pit,
                                    const char *name,
                                    uint64_t worker,
                                    snakepit_health *health)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || health == NULL || !sp_struct_is_sized(health)) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    struct sp_pit_pool *place = sp_pit_find(pit, name);
    if (place == NULL) {
        return sp_refuse_pool(pit, name, NULL);
    }
    snakepit_health now = {0};
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked asked = {
            .told = &sp_told_health, .pool = name, .worker = worker};
        err = sp_ask_one(pit, "worker_health", &asked, &now);
    } else if (!sp_fleet_health(&place->fleet, worker, &now)) {
        err = SNAKEPIT_NOT_FOUND;
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    (void)sp_struct_write(health, &now, sizeof now);
    return SNAKEPIT_OK;
}

static void put_breaker(void *user, size_t index, const struct sp_breaker_row *row)
{
    static const char *const states[] = {
        [SP_BREAKER_CLOSED] = "closed",
        [SP_BREAKER_OPEN] = "open",
        [SP_BREAKER_HALF_OPEN] = "half-open",
    };
    snakepit_breaker_info info = {.state = states[row->state],
                                  .failures = row->failures,
                                  .retry_after_ms = row->retry_after_ms};
    memcpy(info.tool, row->tool, sizeof info.tool);
    sp_rows_put(user, index, &info, sizeof info);
}

snakepit_err snakepit_pool_breakers(snakepit *pit,
                                    const char *name,
                                    snakepit_breaker_info *rows,
                                    size_t room,
                                    size_t *count)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_rows_check(pit, rows, room, count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_rows given = {(uint8_t *)rows, room > 0 ? rows->size : 0, room};
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked question = {.told = &sp_told_breaker, .pool = name};
        return sp_ask_rows(pit, "pool_breakers", &question, &given, count);
    }
    struct sp_pool *pool = sp_pit_pool(pit, name);
    if (pool == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    *count = sp_pool_breakers(pool, put_breaker, &given);
    return SNAKEPIT_OK;
}
