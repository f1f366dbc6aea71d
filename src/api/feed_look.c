// SPDX-License-Identifier: MIT
// What has changed is found by comparing texts: of each pool and worker the last one is
// kept.
#include <string.h>

#include "api/feed.h"
#include "api/pools.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "payload/pairs.h"
#include "pit/times.h"

// Several that watch are sent the same look if they ask within this time.
#define FRESH_NS (40 * SP_NS_PER_MS)
// Rates are made of at least so much time, and of none that is longer.
#define RATES_NS      (200 * SP_NS_PER_MS)
#define RATES_MOST_NS (15 * SP_NS_PER_S)

#define RATE_PAIRS     4u
#define WORKER_PAIRS   16u
#define EXECUTOR_PAIRS 5u

void sp_feed_init(struct sp_feed *feed, snakepit *pit)
{
    feed->pit = pit;
    feed->started = sp_clock_now();
    SP_CHECK(pthread_mutex_init(&feed->lock, NULL) == 0);
}

static void forget(struct sp_feed *feed)
{
    for (size_t i = 0; i < feed->pool_count; i++) {
        sp_feed_free_rows(feed->pools[i].workers, feed->pools[i].worker_count);
        sp_feed_forget_tools(&feed->pools[i]);
        sp_buf_fini(&feed->pools[i].row.text);
    }
    for (size_t i = 0; i < SP_FEED_FRAMES; i++) {
        sp_buf_fini(&feed->frames[i].seen);
        sp_buf_fini(&feed->frames[i].text);
    }
    sp_feed_forget_calls(feed);
    sp_free(feed->pools);
    feed->pools = NULL;
    feed->pool_count = 0;
    feed->gone_count = 0;
    feed->looked_at = 0;
    feed->frame_count = 0;
}

void sp_feed_fini(struct sp_feed *feed)
{
    forget(feed);
    pthread_mutex_destroy(&feed->lock);
}

void sp_feed_join(struct sp_feed *feed)
{
    feed->watchers++;
}

void sp_feed_leave(struct sp_feed *feed)
{
    if (--feed->watchers == 0) {
        forget(feed);
    }
}

// ---- What is gone ------------------------------------------------------------

static void note_gone(struct sp_feed *feed, size_t pool, uint64_t worker)
{
    feed->gone[feed->gone_count++ % SP_FEED_GONE] =
        (struct sp_feed_gone){feed->look, pool, worker};
}

// ---- Workers --------------------------------------------------------------------

// An executor that runs the same call as before has begun it at the same moment.
static uint64_t since_of(struct sp_feed_row *row, const snakepit_executor_info *its)
{
    struct sp_feed_run *run =
        its->executor < row->run_count ? &row->runs[its->executor] : NULL;
    if (run == NULL) {
        return its->since_ms;
    }
    if (run->call != its->call) {
        *run = (struct sp_feed_run){its->call, its->since_ms};
    }
    return run->since_ms;
}

static void write_executors(snakepit_writer *writer,
                            struct sp_feed_row *row,
                            struct sp_api_executors its)
{
    snakepit_writer_str(writer, "executors");
    snakepit_writer_array(writer, (uint32_t)its.count);
    for (size_t i = 0; i < its.count; i++) {
        const snakepit_executor_info *one = &its.rows[i];
        snakepit_writer_map(writer, EXECUTOR_PAIRS);
        sp_pair_number(writer, "executor", one->executor);
        sp_pair_text(writer, "tool", one->call == 0 ? NULL : one->tool);
        sp_pair_number(writer, "call", one->call);
        sp_pair_number(writer, "since_ms", since_of(row, one));
        sp_pair_text(writer, "state", one->state);
    }
}

static void write_worker(snakepit_writer *writer,
                         const char *pool,
                         const snakepit_worker_info *worker,
                         struct sp_feed_row *row,
                         struct sp_api_executors its)
{
    snakepit_writer_map(writer, WORKER_PAIRS);
    sp_pair_text(writer, "pool", pool);
    sp_pair_number(writer, "id", worker->id);
    sp_pair_number(writer, "pid", (uint64_t)worker->pid);
    sp_pair_text(writer, "state", worker->state);
    sp_pair_number(writer, "load", worker->load);
    sp_pair_number(writer, "capacity", worker->capacity);
    sp_pair_text(writer, "health", worker->health);
    sp_pair_text(writer, "device", worker->device);
    sp_pair_number(writer, "stuck", worker->stuck);
    sp_pair_bool(writer, "isolated", worker->isolated);
    sp_pair_number(writer, "calls", worker->calls);
    sp_pair_number(writer, "rss_bytes", worker->rss_bytes);
    sp_pair_number(writer, "pss_bytes", worker->pss_bytes);
    sp_pair_number(writer, "threads", worker->threads);
    sp_pair_text(writer, "python", worker->python);
    write_executors(writer, row, its);
}

// Takes the row of a worker out of those of the last look. It is mostly in the same
// place.
static struct sp_feed_row
take_row(struct sp_feed_row *rows, size_t count, size_t likely, uint64_t id)
{
    struct sp_feed_row row = {.id = id};
    size_t at = likely;
    if (at >= count || rows[at].id != id) {
        for (at = 0; at < count && rows[at].id != id; at++) {
        }
    }
    if (at < count) {
        row = rows[at];
        rows[at] = (struct sp_feed_row){.id = 0};
    }
    return row;
}

// What there is to tell of the workers of a pool.
struct workers {
    const snakepit_worker_info *rows;
    size_t count;
    struct sp_api_executors executors;
};

// Without room for it, it is told anew each time when a call has begun.
static void make_runs(struct sp_feed_row *row, size_t count)
{
    if (row->run_count != count) {
        sp_free(row->runs);
        row->runs = sp_alloc_array(count + 1, sizeof *row->runs);
        row->run_count = row->runs == NULL ? 0 : count;
    }
}

static snakepit_err fill_rows(struct sp_feed *feed,
                              struct sp_feed_pool *pool,
                              struct sp_feed_row *rows,
                              const struct workers *workers)
{
    snakepit_err err = SNAKEPIT_OK;
    snakepit_writer *writer = snakepit_writer_new();
    for (size_t i = 0; i < workers->count; i++) {
        const snakepit_worker_info *worker = &workers->rows[i];
        const struct sp_api_executors its =
            sp_api_executors_of(workers->executors, worker->id);
        rows[i] = take_row(pool->workers, pool->worker_count, i, worker->id);
        rows[i].born = feed->looked_at - worker->age_ms * SP_NS_PER_MS;
        make_runs(&rows[i], its.count);
        snakepit_writer_reset(writer);
        write_worker(writer, pool->name, worker, &rows[i], its);
        snakepit_err failed = sp_feed_set_row(feed, &rows[i], writer);
        err = failed == SNAKEPIT_OK ? err : failed;
    }
    snakepit_writer_free(writer);
    return err;
}

static void replace_workers(struct sp_feed *feed,
                            struct sp_feed_pool *pool,
                            struct sp_feed_row *rows,
                            size_t count)
{
    for (size_t i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].id != 0) {
            note_gone(feed, (size_t)(pool - feed->pools), pool->workers[i].id);
        }
    }
    sp_feed_free_rows(pool->workers, pool->worker_count);
    pool->workers = rows;
    pool->worker_count = count;
}

static snakepit_err look_at_workers(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    size_t count = 0;
    size_t executors = 0;
    snakepit_worker_info *found = NULL;
    snakepit_executor_info *run = NULL;
    struct sp_feed_row *rows = NULL;
    snakepit_err err = sp_api_workers(feed->pit, pool->name, &found, &count);
    if (err == SNAKEPIT_OK) {
        err = sp_api_executors(feed->pit, pool->name, &run, &executors);
    }
    if (err == SNAKEPIT_OK) {
        rows = sp_alloc_array(count + 1, sizeof *rows);
        err = rows == NULL ? SNAKEPIT_NO_MEMORY : err;
    }
    if (err == SNAKEPIT_OK) {
        const struct workers workers = {found, count, {run, executors}};
        err = fill_rows(feed, pool, rows, &workers);
        replace_workers(feed, pool, rows, count);
    }
    sp_free(found);
    sp_free(run);
    return err;
}

// ---- Rates ----------------------------------------------------------------------

// What was there becomes what is, and that the difference between them.
static void advance(struct sp_histogram *before, struct sp_histogram *now)
{
    for (size_t i = 0; i < SP_HISTOGRAM_CLASSES; i++) {
        const uint64_t count = now->counts[i];
        now->counts[i] -= before->counts[i];
        before->counts[i] = count;
    }
}

static double quantile(const struct sp_histogram *histogram, double share)
{
    return sp_histogram_count(histogram) == 0
               ? -1
               : (double)sp_histogram_quantile(histogram, share) / 1e9;
}

static void set_quantiles(struct sp_feed *feed, struct sp_feed_rates *rates)
{
    advance(&rates->line, &feed->line);
    advance(&rates->run, &feed->run);
    rates->line_p50 = quantile(&feed->line, 0.5);
    rates->line_p99 = quantile(&feed->line, 0.99);
    rates->run_p50 = quantile(&feed->run, 0.5);
    rates->run_p99 = quantile(&feed->run, 0.99);
}

static double per_second(uint64_t count, uint64_t ns)
{
    return (double)(uint64_t)((double)count * 1e10 / (double)ns + 0.5) / 10;
}

static void begin_rates(struct sp_feed_rates *rates)
{
    rates->calls_per_second = rates->failures_per_second = 0;
    rates->line_p50 = rates->line_p99 = rates->run_p50 = rates->run_p99 = -1;
}

static void look_at_rates(struct sp_feed *feed,
                          struct sp_feed_pool *pool,
                          const snakepit_pool_stats *stats)
{
    struct sp_feed_rates *rates = &pool->rates;
    const uint64_t passed = feed->looked_at - rates->since;
    const bool begins = rates->since == 0 || passed > RATES_MOST_NS;
    if ((!begins && passed < RATES_NS) ||
        !sp_pit_times(feed->pit, pool->name, &feed->line, &feed->run)) {
        return;
    }
    set_quantiles(feed, rates);
    if (begins) {
        begin_rates(rates);
    } else {
        rates->calls_per_second = per_second(stats->calls - rates->calls, passed);
        rates->failures_per_second =
            per_second(stats->failures - rates->failures, passed);
    }
    rates->since = feed->looked_at;
    rates->calls = stats->calls;
    rates->failures = stats->failures;
}

static void write_seconds(snakepit_writer *writer, const char *key, double seconds)
{
    snakepit_writer_str(writer, key);
    if (seconds < 0) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_double(writer, seconds);
    }
}

static void write_rates(snakepit_writer *writer, const struct sp_feed_rates *rates)
{
    snakepit_writer_str(writer, "line_seconds");
    snakepit_writer_map(writer, 2);
    write_seconds(writer, "p50", rates->line_p50);
    write_seconds(writer, "p99", rates->line_p99);
    snakepit_writer_str(writer, "run_seconds");
    snakepit_writer_map(writer, 2);
    write_seconds(writer, "p50", rates->run_p50);
    write_seconds(writer, "p99", rates->run_p99);
    write_seconds(writer, "calls_per_second", rates->calls_per_second);
    write_seconds(writer, "failures_per_second", rates->failures_per_second);
}

// ---- Pools ----------------------------------------------------------------------

// The place of a pool; NULL: there is no memory for one.
static struct sp_feed_pool *place_of(struct sp_feed *feed, const char *name)
{
    for (size_t i = 0; i < feed->pool_count; i++) {
        if (strcmp(feed->pools[i].name, name) == 0) {
            return &feed->pools[i];
        }
    }
    struct sp_feed_pool *pools =
        sp_realloc(feed->pools, (feed->pool_count + 1) * sizeof *pools);
    if (pools == NULL) {
        return NULL;
    }
    feed->pools = pools;
    pools[feed->pool_count] = (struct sp_feed_pool){.name = name};
    return &pools[feed->pool_count++];
}

static snakepit_err look_at_pool(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_err err = snakepit_pool_get_stats(feed->pit, pool->name, &stats);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    look_at_rates(feed, pool, &stats);
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, SP_API_POOL_PAIRS + RATE_PAIRS);
    sp_api_write_pool(feed->pit, writer, &stats);
    write_rates(writer, &pool->rates);
    err = sp_feed_set_row(feed, &pool->row, writer);
    snakepit_writer_free(writer);
    sp_feed_follow(feed, pool);
    err = err == SNAKEPIT_OK ? sp_feed_follow_deaths(feed, pool) : err;
    err = err == SNAKEPIT_OK ? sp_feed_look_at_tools(feed, pool) : err;
    return err == SNAKEPIT_OK ? look_at_workers(feed, pool) : err;
}

static snakepit_err look_for_pools(struct sp_feed *feed)
{
    snakepit_err err = SNAKEPIT_OK;
    const size_t count = snakepit_pool_count(feed->pit);
    for (size_t i = 0; i < count; i++) {
        const char *name = snakepit_pool_name(feed->pit, i);
        struct sp_feed_pool *pool = name == NULL ? NULL : place_of(feed, name);
        if (pool != NULL) {
            pool->came = feed->look;
        } else if (name != NULL) {
            err = SNAKEPIT_NO_MEMORY;
        }
    }
    return err;
}

// A pool that is gone takes its workers along.
static void drop_pool(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    note_gone(feed, (size_t)(pool - feed->pools), 0);
    sp_feed_free_rows(pool->workers, pool->worker_count);
    sp_feed_forget_tools(pool);
    sp_buf_fini(&pool->row.text);
    pool->row = (struct sp_feed_row){.id = 0};
    pool->workers = NULL;
    pool->worker_count = 0;
}

snakepit_err sp_feed_look(struct sp_feed *feed)
{
    const uint64_t now = sp_clock_now();
    if (now - feed->looked_at < FRESH_NS) {
        return SNAKEPIT_OK;
    }
    feed->look++;
    feed->looked_at = now;
    feed->frame_count = 0;
    snakepit_err err = look_for_pools(feed);
    for (size_t i = 0; i < feed->pool_count; i++) {
        struct sp_feed_pool *pool = &feed->pools[i];
        snakepit_err failed = SNAKEPIT_OK;
        const bool was_present = pool->present;
        pool->present = pool->came == feed->look;
        if (pool->present) {
            failed = look_at_pool(feed, pool);
        } else if (was_present) {
            drop_pool(feed, pool);
        }
        err = failed == SNAKEPIT_OK ? err : failed;
    }
    return err;
}
