// SPDX-License-Identifier: MIT
// The OpenAPI document is made of the answers of one worker of each pool, and kept
// until there are other workers. A pool that does not answer in time is left out, and
// then the document is not kept.
#include <string.h>

#include "base/memory.h"
#include "front/api_inside.h"
#include "front/api_reply.h"
#include "front/openapi.h"
#include "front/server.h"

#define ANSWER_MS   2000u // that a pool has
#define MAKING_MOST 8u    // documents at once: each asks every pool

struct job;

struct part {
    struct job *job;
    const char *pool; // lives as long as the pit
    snakepit_call_id call;
    snakepit_answer *table; // NULL: it did not answer
    bool ended;
};

// Owner: the loop of its exchange. Freed when all pools have answered.
struct job {
    struct sp_exchange *exchange; // NULL: nobody waits any more
    struct sp_api *api;           // not to be touched then
    snakepit *pit;
    uint64_t stamp;
    size_t count;
    size_t pending; // and one more while they are asked
    struct part parts[];
};

// ---- The document that is kept --------------------------------------------------

// Another one as soon as there is another worker or pool.
static uint64_t stamp_of(snakepit *pit)
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

static void reply_document(struct sp_exchange *exchange, const struct sp_buf *document)
{
    const struct sp_api_answer answer = {.status = 200,
                                         .type = "application/json",
                                         .body = {document->data, document->size}};
    sp_api_reply(exchange, &answer);
}

// False: there is none of these workers.
static bool reply_kept(struct sp_exchange *exchange, struct sp_api *api, uint64_t stamp)
{
    pthread_mutex_lock(&api->lock);
    const bool kept = api->document.text.size > 0 && api->document.stamp == stamp;
    if (kept) {
        reply_document(exchange, &api->document.text);
    }
    pthread_mutex_unlock(&api->lock);
    return kept;
}

// Takes the document.
static void keep(struct sp_api *api, struct sp_buf *document, uint64_t stamp)
{
    pthread_mutex_lock(&api->lock);
    sp_buf_fini(&api->document.text);
    api->document.text = *document;
    api->document.stamp = stamp;
    pthread_mutex_unlock(&api->lock);
    *document = (struct sp_buf){0};
}

// False: enough are being made already.
static bool may_make(struct sp_api *api)
{
    pthread_mutex_lock(&api->lock);
    const bool may = api->document.making < MAKING_MOST;
    api->document.making += may ? 1 : 0;
    pthread_mutex_unlock(&api->lock);
    return may;
}

static void stop_making(struct sp_api *api)
{
    pthread_mutex_lock(&api->lock);
    api->document.making--;
    pthread_mutex_unlock(&api->lock);
}

// ---- Making one -----------------------------------------------------------------

// True: no pool is missing.
static bool write_parts(struct sp_openapi *openapi, const struct job *job)
{
    bool whole = true;
    for (size_t i = 0; i < job->count; i++) {
        snakepit_reader table;
        if (job->parts[i].table == NULL) {
            whole = false;
            continue;
        }
        snakepit_answer_reader(job->parts[i].table, &table);
        sp_openapi_add_pool(openapi, job->parts[i].pool, &table);
    }
    return whole;
}

static void reply(struct job *job)
{
    struct sp_buf document = {0};
    struct sp_openapi openapi;
    sp_openapi_begin(&openapi, &document);
    const bool whole = write_parts(&openapi, job);
    snakepit_err err = sp_openapi_end(&openapi);
    stop_making(job->api);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(job->exchange, err, NULL);
    } else {
        reply_document(job->exchange, &document);
        if (whole) {
            keep(job->api, &document, job->stamp);
        }
    }
    sp_buf_fini(&document);
}

static void free_job(struct job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        snakepit_answer_free(job->parts[i].table);
    }
    sp_free(job);
}

// One pool less to wait for.
static void count_down(struct job *job)
{
    if (--job->pending > 0) {
        return;
    }
    if (job->exchange != NULL) {
        reply(job);
    }
    free_job(job);
}

static void on_table(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct part *part = user;
    part->ended = true;
    if (err == SNAKEPIT_OK) {
        part->table = answer;
    } else {
        snakepit_answer_free(answer);
    }
    count_down(part->job);
}

static void on_gone(void *user)
{
    struct job *job = user;
    job->exchange = NULL;
    stop_making(job->api);
    for (size_t i = 0; i < job->count; i++) {
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

static void ask(struct job *job, const char *pool)
{
    struct part *part = &job->parts[job->count++];
    const snakepit_call_options options = {
        .size = sizeof options,
        .pool = pool,
        .timeout_ms = ANSWER_MS,
        .queue = sp_serve_loop_queue(job->exchange->loop)};
    *part = (struct part){.job = job, .pool = pool};
    if (snakepit_submit_tools(job->pit, &options, on_table, part, &part->call) ==
        SNAKEPIT_OK) {
        job->pending++;
    } else {
        part->ended = true;
    }
}

static void make(struct sp_exchange *exchange, struct sp_api *api, uint64_t stamp)
{
    const size_t count = snakepit_pool_count(api->pit);
    struct job *job = sp_alloc(sizeof *job + count * sizeof job->parts[0]);
    if (job == NULL) {
        stop_making(api);
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    job->exchange = exchange;
    job->api = api;
    job->pit = api->pit;
    job->stamp = stamp;
    job->pending = 1;
    for (size_t i = 0; i < count; i++) {
        const char *pool = snakepit_pool_name(api->pit, i);
        if (!is_removed(api->pit, pool)) {
            ask(job, pool);
        }
    }
    exchange->user = job;
    exchange->listener = &listener;
    count_down(job);
}

void sp_api_openapi(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api *api = sp_api_of(exchange);
    const uint64_t stamp = stamp_of(api->pit);
    (void)params;
    if (reply_kept(exchange, api, stamp)) {
        return;
    }
    if (!may_make(api)) {
        sp_api_fail(exchange,
                    SNAKEPIT_SATURATED,
                    "the document is being made for others; ask again");
        return;
    }
    make(exchange, api, stamp);
}
