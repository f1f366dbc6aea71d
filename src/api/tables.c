// SPDX-License-Identifier: MIT
// Where a pool does not answer in time, what the others have said is told, and not
// kept.
#include "api/tables.h"

#include <string.h>

#include "api/inside.h"
#include "base/memory.h"
#include "server/server.h"

struct part {
    struct sp_api_tables_job *job;
    snakepit_call_id call;
    bool ended;
};

// Owner: a loop. Freed when all pools have answered.
struct sp_api_tables_job {
    struct sp_api_tables_job *next; // of the loop, with another `wait_ms`
    struct sp_link waiters;
    struct sp_api_loop *loop; // NULL: nobody waits any more, and nothing of the API may
    struct sp_api *api;       // be touched
    snakepit *pit;
    uint32_t wait_ms;
    size_t room;    // for parts
    size_t pending; // and one more while they are asked
    struct sp_api_tables *tables;
    struct part parts[];
};

// ---- Tables ---------------------------------------------------------------------

void sp_api_tables_ref(struct sp_api_tables *tables)
{
    atomic_fetch_add_explicit(&tables->refs, 1, memory_order_relaxed);
}

void sp_api_tables_unref(struct sp_api_tables *tables)
{
    if (tables == NULL ||
        atomic_fetch_sub_explicit(&tables->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < tables->count; i++) {
        snakepit_answer_free(tables->tables[i].answer);
    }
    sp_free(tables);
}

uint64_t sp_api_tables_stamp(snakepit *pit)
{
    uint64_t stamp = 0;
    const size_t count = snakepit_pool_count(pit);
    for (size_t i = 0; i < count; i++) {
        snakepit_pool_stats stats = {.size = sizeof stats};
        const char *name = snakepit_pool_name(pit, i);
        if (name != NULL && snakepit_pool_get_stats(pit, name, &stats) == SNAKEPIT_OK) {
            const bool removed = strcmp(stats.state, "removed") == 0;
            stamp = stamp * 1000003 + stats.worker_starts * 2 + (removed ? 1 : 0);
        }
    }
    return stamp * 1000003 + count;
}

struct sp_api_tables *sp_api_tables_last(struct sp_api *api)
{
    pthread_mutex_lock(&api->lock);
    struct sp_api_tables *tables = api->tables;
    if (tables != NULL) {
        sp_api_tables_ref(tables);
    }
    pthread_mutex_unlock(&api->lock);
    return tables;
}

struct sp_api_tables *sp_api_tables_kept(struct sp_api *api)
{
    const uint64_t stamp = sp_api_tables_stamp(api->pit);
    struct sp_api_tables *tables = sp_api_tables_last(api);
    if (tables != NULL && tables->stamp != stamp) {
        sp_api_tables_unref(tables);
        tables = NULL;
    }
    return tables;
}

static void keep(struct sp_api *api, struct sp_api_tables *tables)
{
    sp_api_tables_ref(tables);
    pthread_mutex_lock(&api->lock);
    struct sp_api_tables *before = api->tables;
    api->tables = tables;
    pthread_mutex_unlock(&api->lock);
    sp_api_tables_unref(before);
}

static bool are_whole(const struct sp_api_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->tables[i].answer == NULL) {
            return false;
        }
    }
    return true;
}

// ---- Asking ---------------------------------------------------------------------

static struct sp_api_tables_job *find_job(const struct sp_api_loop *loop,
                                          uint32_t wait_ms)
{
    struct sp_api_tables_job *job = loop->jobs;
    while (job != NULL && job->wait_ms != wait_ms) {
        job = job->next;
    }
    return job;
}

// Nobody joins it any more. Again is fine.
static void close_job(struct sp_api_tables_job *job)
{
    struct sp_api_tables_job **at = &job->loop->jobs;
    while (*at != NULL && *at != job) {
        at = &(*at)->next;
    }
    if (*at == job) {
        *at = job->next;
    }
}

// Each waiter is told, and gone.
static void tell(struct sp_api_tables_job *job)
{
    struct sp_link *link;
    struct sp_api_tables *tables = job->tables;
    close_job(job);
    tables->whole = are_whole(tables);
    if (tables->whole) {
        keep(job->api, tables);
    }
    while ((link = sp_list_take(&job->waiters)) != NULL) {
        struct sp_api_tables_waiter *waiter =
            SP_ENTRY(link, struct sp_api_tables_waiter, link);
        waiter->exchange->listener = NULL;
        waiter->told(waiter, tables);
    }
}

// One pool less to wait for.
static void count_down(struct sp_api_tables_job *job)
{
    if (--job->pending > 0) {
        return;
    }
    if (job->loop != NULL) {
        tell(job);
    }
    sp_api_tables_unref(job->tables);
    sp_free(job);
}

static void on_table(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct part *part = user;
    struct sp_api_tables_job *job = part->job;
    part->ended = true;
    if (err == SNAKEPIT_OK) {
        job->tables->tables[part - job->parts].answer = answer;
    } else {
        snakepit_answer_free(answer);
    }
    count_down(job);
}

// The last one to leave has the pools stop.
static void on_gone(void *user)
{
    struct sp_api_tables_waiter *waiter = user;
    struct sp_api_tables_job *job = waiter->job;
    sp_list_remove(&waiter->link);
    waiter->gone(waiter);
    if (!sp_list_empty(&job->waiters)) {
        return;
    }
    close_job(job);
    job->loop = NULL;
    for (size_t i = 0; i < job->tables->count; i++) {
        if (!job->parts[i].ended) {
            (void)snakepit_cancel(job->pit, job->parts[i].call);
        }
    }
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

static bool is_removed(snakepit *pit, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    return pool == NULL || snakepit_pool_get_stats(pit, pool, &stats) != SNAKEPIT_OK ||
           strcmp(stats.state, "removed") == 0;
}

static void ask(struct sp_api_tables_job *job, const char *pool, snakepit_queue *queue)
{
    struct part *part = &job->parts[job->tables->count];
    const snakepit_call_options options = {.size = sizeof options,
                                           .pool = pool,
                                           .timeout_ms = job->wait_ms,
                                           .queue = queue};
    job->tables->tables[job->tables->count++].pool = pool;
    *part = (struct part){.job = job};
    if (snakepit_submit_tools(job->pit, &options, on_table, part, &part->call) ==
        SNAKEPIT_OK) {
        job->pending++;
    } else {
        part->ended = true;
    }
}

static void ask_all(struct sp_api_tables_job *job, snakepit_queue *queue)
{
    job->tables->stamp = sp_api_tables_stamp(job->pit);
    for (size_t i = 0; i < job->room; i++) {
        const char *pool = snakepit_pool_name(job->pit, i);
        if (!is_removed(job->pit, pool)) {
            ask(job, pool, queue);
        }
    }
    count_down(job);
}

// NULL: without memory.
static struct sp_api_tables_job *
new_job(struct sp_api *api, struct sp_api_loop *loop, uint32_t wait_ms)
{
    const size_t room = snakepit_pool_count(api->pit);
    struct sp_api_tables_job *job = sp_alloc(sizeof *job + room * sizeof job->parts[0]);
    struct sp_api_tables *tables =
        sp_alloc(sizeof *tables + room * sizeof tables->tables[0]);
    if (job == NULL || tables == NULL) {
        sp_free(job);
        sp_free(tables);
        return NULL;
    }
    atomic_init(&tables->refs, 1);
    sp_list_init(&job->waiters);
    job->loop = loop;
    job->api = api;
    job->pit = api->pit;
    job->wait_ms = wait_ms;
    job->room = room;
    job->pending = 1;
    job->tables = tables;
    job->next = loop->jobs;
    loop->jobs = job;
    return job;
}

static void join(struct sp_api_tables_waiter *waiter, struct sp_api_tables_job *job)
{
    sp_list_append(&job->waiters, &waiter->link);
    waiter->job = job;
    waiter->exchange->user = waiter;
    waiter->exchange->listener = &listener;
}

snakepit_err sp_api_tables_get(struct sp_api_tables_waiter *waiter, uint32_t wait_ms)
{
    struct sp_exchange *exchange = waiter->exchange;
    struct sp_api *api = sp_api_of(exchange);
    struct sp_api_tables *tables = sp_api_tables_kept(api);
    if (tables != NULL) {
        waiter->told(waiter, tables);
        sp_api_tables_unref(tables);
        return SNAKEPIT_OK;
    }
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    if (loop == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    struct sp_api_tables_job *job = find_job(loop, wait_ms);
    if (job != NULL) {
        join(waiter, job);
        return SNAKEPIT_OK;
    }
    job = new_job(api, loop, wait_ms);
    if (job == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_queue *queue = sp_serve_loop_queue(exchange->loop);
    join(waiter, job);
    ask_all(job, queue);
    return SNAKEPIT_OK;
}
