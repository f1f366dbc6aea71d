// SPDX-License-Identifier: MIT
// What there is: pools, their workers, their breakers.
#include "api/pools.h"

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/memory.h"
#include "payload/pairs.h"
#include "pit/failure.h"
#include "pit/refuse.h"

#define WORKER_PAIRS   16u
#define EXECUTOR_PAIRS 6u
#define HEALTH_PAIRS   6u
#define DEATH_PAIRS    7u

void sp_api_write_pool(snakepit *pit,
                       snakepit_writer *writer,
                       const snakepit_pool_stats *stats)
{
    snakepit_message failure;
    sp_pair_text(writer, "name", stats->name);
    sp_pair_text(writer, "profile", stats->profile);
    sp_pair_text(writer, "state", stats->state);
    sp_pair_text(writer, "reason", sp_pit_failure(pit, stats->name, &failure));
#define SP_POOL_FIGURE(name) sp_pair_number(writer, #name, stats->name);
#include "pit/pool_figures.def"
}

// ---- All pools ------------------------------------------------------------------

// The name of a pool that is to be seen; NULL: it is not, or there is none.
static const char *
seen_pool(snakepit *pit, size_t index, sp_api_seen_fn *seen, const void *user)
{
    const char *name = snakepit_pool_name(pit, index);
    return name != NULL && (seen == NULL || seen(user, name)) ? name : NULL;
}

void sp_api_describe_pools(snakepit *pit,
                           sp_api_seen_fn *seen,
                           const void *user,
                           snakepit_writer *writer)
{
    const size_t count = snakepit_pool_count(pit);
    uint32_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        rows += seen_pool(pit, i, seen, user) != NULL ? 1 : 0;
    }
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "pools");
    snakepit_writer_array(writer, rows);
    for (size_t i = 0; i < count && rows > 0; i++) {
        snakepit_pool_stats stats = {.size = sizeof stats};
        const char *name = seen_pool(pit, i, seen, user);
        if (name == NULL) {
            continue;
        }
        rows--;
        if (snakepit_pool_get_stats(pit, name, &stats) == SNAKEPIT_OK) {
            snakepit_writer_map(writer, SP_API_POOL_PAIRS);
            sp_api_write_pool(pit, writer, &stats);
        } else {
            snakepit_writer_nil(writer); // a reload has just taken it away
        }
    }
    for (; rows > 0; rows--) {
        snakepit_writer_nil(writer); // likewise
    }
}

static bool may_see(const void *user, const char *pool)
{
    return sp_api_may(user, SP_ACCESS_OBSERVE, pool);
}

void sp_api_pools(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    snakepit_writer *writer = snakepit_writer_new();
    sp_api_describe_pools(sp_api_of(exchange)->pit, may_see, exchange, writer);
    sp_api_reply_value(exchange, writer);
    snakepit_writer_free(writer);
}

// ---- One pool -------------------------------------------------------------------

static void write_health(snakepit_writer *writer, const snakepit_health *health)
{
    snakepit_writer_str(writer, "health");
    snakepit_writer_map(writer, HEALTH_PAIRS);
    sp_pair_text(writer, "status", health->status);
    sp_pair_number(writer, "checks", health->checks);
    sp_pair_number(writer, "failures", health->failures);
    sp_pair_number(writer, "checked_ms", health->checked_ms);
    sp_pair_number(writer, "consecutive_failures", health->consecutive_failures);
    sp_pair_text(writer, "message", health->message);
}

snakepit_health sp_api_worker_health(snakepit *pit,
                                     const char *pool,
                                     const snakepit_worker_info *worker)
{
    snakepit_health health = {.size = sizeof health};
    if (snakepit_worker_health(pit, pool, worker->id, &health) != SNAKEPIT_OK) {
        health.status = worker->health; // it has just gone
    }
    return health;
}

static void write_executor(snakepit_writer *writer, const snakepit_executor_info *row)
{
    snakepit_writer_map(writer, EXECUTOR_PAIRS);
    sp_pair_number(writer, "executor", row->executor);
    sp_pair_text(writer, "state", row->state);
    sp_pair_text(writer, "tool", row->tool);
    sp_pair_number(writer, "call", row->call);
    sp_pair_number(writer, "since_ms", row->since_ms);
    sp_pair_number(writer, "running_us", row->running_us);
}

static void write_executors(snakepit_writer *writer, struct sp_api_executors its)
{
    snakepit_writer_str(writer, "executors");
    snakepit_writer_array(writer, (uint32_t)its.count);
    for (size_t i = 0; i < its.count; i++) {
        write_executor(writer, &its.rows[i]);
    }
}

static void write_worker(snakepit *pit,
                         const char *pool,
                         const snakepit_worker_info *worker,
                         struct sp_api_executors its,
                         snakepit_writer *writer)
{
    const snakepit_health health = sp_api_worker_health(pit, pool, worker);
    snakepit_writer_map(writer, WORKER_PAIRS);
    sp_pair_number(writer, "id", worker->id);
    sp_pair_number(writer, "pid", (uint64_t)worker->pid);
    sp_pair_text(writer, "state", worker->state);
    sp_pair_number(writer, "load", worker->load);
    sp_pair_number(writer, "capacity", worker->capacity);
    sp_pair_text(writer, "device", worker->device);
    sp_pair_number(writer, "stuck", worker->stuck);
    sp_pair_bool(writer, "isolated", worker->isolated);
    sp_pair_number(writer, "age_ms", worker->age_ms);
    sp_pair_number(writer, "calls", worker->calls);
    sp_pair_number(writer, "rss_bytes", worker->rss_bytes);
    sp_pair_number(writer, "pss_bytes", worker->pss_bytes);
    sp_pair_number(writer, "threads", worker->threads);
    sp_pair_text(writer, "python", worker->python);
    write_health(writer, &health);
    write_executors(writer, its);
}

snakepit_err sp_api_workers(snakepit *pit,
                            const char *pool,
                            snakepit_worker_info **rows,
                            size_t *count)
{
    size_t room = 0;
    (void)snakepit_pool_workers(pit, pool, NULL, 0, &room);
    *rows = sp_alloc_array(room + 1, sizeof **rows);
    if (*rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (*rows)[0].size = sizeof **rows;
    snakepit_err err = snakepit_pool_workers(pit, pool, *rows, room, count);
    *count = err == SNAKEPIT_OK && *count < room ? *count : room;
    return err;
}

snakepit_err sp_api_executors(snakepit *pit,
                              const char *pool,
                              snakepit_executor_info **rows,
                              size_t *count)
{
    size_t room = 0;
    (void)snakepit_worker_executors(pit, pool, 0, NULL, 0, &room);
    *rows = sp_alloc_array(room + 1, sizeof **rows);
    if (*rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (*rows)[0].size = sizeof **rows;
    snakepit_err err = snakepit_worker_executors(pit, pool, 0, *rows, room, count);
    *count = err == SNAKEPIT_OK && *count < room ? *count : room;
    return err;
}

struct sp_api_executors sp_api_executors_of(struct sp_api_executors all,
                                            uint64_t worker)
{
    size_t first = 0;
    while (first < all.count && all.rows[first].worker != worker) {
        first++;
    }
    size_t end = first;
    while (end < all.count && all.rows[end].worker == worker) {
        end++;
    }
    return (struct sp_api_executors){all.rows + first, end - first};
}

static snakepit_err
write_workers(snakepit *pit, const char *pool, snakepit_writer *writer)
{
    size_t count = 0;
    snakepit_worker_info *rows = NULL;
    snakepit_executor_info *running = NULL;
    struct sp_api_executors all = {.count = 0};
    snakepit_err err = sp_api_workers(pit, pool, &rows, &count);
    if (err == SNAKEPIT_OK) {
        err = sp_api_executors(pit, pool, &running, &all.count);
        all.rows = running;
    }
    snakepit_writer_str(writer, "workers_now");
    snakepit_writer_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        write_worker(pit, pool, &rows[i], sp_api_executors_of(all, rows[i].id), writer);
    }
    sp_free(running);
    sp_free(rows);
    return err;
}

static void write_breaker(snakepit_writer *writer, const snakepit_breaker_info *row)
{
    snakepit_writer_map(writer, 4);
    sp_pair_text(writer, "tool", row->tool);
    sp_pair_text(writer, "state", row->state);
    sp_pair_number(writer, "failures", row->failures);
    sp_pair_number(writer, "retry_after_ms", row->retry_after_ms);
}

snakepit_err sp_api_breakers(snakepit *pit,
                             const char *pool,
                             snakepit_breaker_info **rows,
                             size_t *count)
{
    size_t room = 0;
    (void)snakepit_pool_breakers(pit, pool, NULL, 0, &room);
    *rows = sp_alloc_array(room + 1, sizeof **rows);
    if (*rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (*rows)[0].size = sizeof **rows;
    snakepit_err err = snakepit_pool_breakers(pit, pool, *rows, room, count);
    *count = err == SNAKEPIT_OK && *count < room ? *count : room;
    return err;
}

static snakepit_err
write_breakers(snakepit *pit, const char *pool, snakepit_writer *writer)
{
    size_t count = 0;
    snakepit_breaker_info *rows = NULL;
    snakepit_err err = sp_api_breakers(pit, pool, &rows, &count);
    snakepit_writer_str(writer, "breakers");
    snakepit_writer_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        write_breaker(writer, &rows[i]);
    }
    sp_free(rows);
    return err;
}

snakepit_err
sp_api_deaths(snakepit *pit, const char *pool, snakepit_death **rows, size_t *count)
{
    size_t room = 0;
    (void)snakepit_pool_deaths(pit, pool, NULL, 0, &room);
    *rows = sp_alloc_array(room + 1, sizeof **rows);
    if (*rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    (*rows)[0].size = sizeof **rows;
    snakepit_err err = snakepit_pool_deaths(pit, pool, *rows, room, count);
    *count = err == SNAKEPIT_OK && *count < room ? *count : room;
    return err;
}

void sp_api_write_death(snakepit_writer *writer,
                        const char *pool,
                        const snakepit_death *death)
{
    snakepit_writer_map(writer, DEATH_PAIRS);
    sp_pair_text(writer, "pool", pool);
    sp_pair_number(writer, "worker", death->worker);
    sp_pair_number(writer, "pid", (uint64_t)death->pid);
    sp_pair_number(writer, "time_ms", death->ended_ms);
    sp_pair_text(writer, "cause", death->cause);
    sp_pair_number(writer, "after_ms", death->age_ms);
    sp_pair_bool(writer, "expected", death->expected);
}

static snakepit_err
write_deaths(snakepit *pit, const char *pool, snakepit_writer *writer)
{
    size_t count = 0;
    snakepit_death *rows = NULL;
    snakepit_err err = sp_api_deaths(pit, pool, &rows, &count);
    snakepit_writer_str(writer, "deaths");
    snakepit_writer_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        sp_api_write_death(writer, pool, &rows[i]);
    }
    sp_free(rows);
    return err;
}

snakepit_err
sp_api_describe_pool(snakepit *pit, const char *pool, snakepit_writer *writer)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_err err = snakepit_pool_get_stats(pit, pool, &stats);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_writer_map(writer, SP_API_POOL_PAIRS + 3);
    sp_api_write_pool(pit, writer, &stats);
    err = write_workers(pit, pool, writer);
    err = err == SNAKEPIT_OK ? write_breakers(pit, pool, writer) : err;
    return err == SNAKEPIT_OK ? write_deaths(pit, stats.name, writer) : err;
}

void sp_api_pool(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_message why = {{0}};
    snakepit *pit = sp_api_of(exchange)->pit;
    const char *pool = sp_api_pool_name(params->of[0]);
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err = sp_api_describe_pool(pit, pool, writer);
    if (err == SNAKEPIT_UNKNOWN_POOL && pool != NULL) {
        (void)sp_refuse_pool(pit, pool, &why);
    }
    if (err == SNAKEPIT_OK) {
        sp_api_reply_value(exchange, writer);
    } else {
        sp_api_fail(exchange, err, why.text[0] != '\0' ? why.text : NULL);
    }
    snakepit_writer_free(writer);
}
