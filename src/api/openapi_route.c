// SPDX-License-Identifier: MIT
// The OpenAPI document is made of the answers of one worker of each pool, and kept
// until there are other workers. A pool that does not answer in time is left out, and
// then the document is not kept. Whoever asks while one is being made on the same loop
// waits for that one. A client that may not see all pools gets one of its own, of the
// same answers.
#include <string.h>

#include "api/gate.h"
#include "api/inside.h"
#include "api/openapi.h"
#include "api/reply.h"
#include "base/memory.h"
#include "server/server.h"

#define ANSWER_MS 2000u // that a pool has

struct sp_api_job;

// A request that waits for the document. Owner: the loop of its exchange.
struct waiter {
    struct sp_link link; // of sp_api_job.waiters
    struct sp_exchange *exchange;
    struct sp_api_job *job;
};

struct part {
    struct sp_api_job *job;
    const char *pool; // lives as long as the pit
    snakepit_call_id call;
    snakepit_answer *table; // NULL: it did not answer
    bool ended;
};

// Owner: a loop. Freed when all pools have answered.
struct sp_api_job {
    struct sp_link waiters;
    struct sp_api_loop *loop; // NULL: nobody waits any more, and nothing of the API may
    struct sp_api *api;       // be touched
    snakepit *pit;
    uint64_t stamp;
    size_t room; // for parts
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

// ---- Making one -----------------------------------------------------------------

// The pools that `grant` shows. True: none of them is missing.
static bool write_parts(struct sp_openapi *openapi,
                        const struct sp_api_job *job,
                        const struct sp_grant *grant)
{
    bool whole = true;
    for (size_t i = 0; i < job->count; i++) {
        snakepit_reader table;
        if (!sp_grant_allows(grant, SP_ACCESS_OBSERVE, job->parts[i].pool)) {
            continue;
        }
        if (job->parts[i].table == NULL) {
            whole = false;
            continue;
        }
        snakepit_answer_reader(job->parts[i].table, &table);
        sp_openapi_add_pool(openapi, job->parts[i].pool, &table);
    }
    return whole;
}

static enum sp_openapi_tokens tokens_of(const struct sp_serve_config *config)
{
    const struct sp_listeners *listen = &config->listen;
    size_t count = 0;
    for (size_t i = 0; i < listen->count; i++) {
        count += listen->items[i].tokens != NULL ? 1 : 0;
    }
    if (count == 0) {
        return SP_OPENAPI_NO_TOKENS;
    }
    return count == listen->count ? SP_OPENAPI_TOKENS : SP_OPENAPI_SOME_TOKENS;
}

static snakepit_err write_document(const struct sp_api_job *job,
                                   const struct sp_exchange *exchange,
                                   struct sp_buf *document,
                                   bool *whole)
{
    struct sp_openapi openapi;
    sp_openapi_begin(
        &openapi, document, tokens_of(sp_serve_loop_config(exchange->loop)));
    *whole = write_parts(&openapi, job, exchange->grant);
    return sp_openapi_end(&openapi);
}

// `of_all` is empty until somebody wants it.
static void reply_to(struct sp_exchange *exchange,
                     const struct sp_api_job *job,
                     struct sp_buf *of_all,
                     bool *whole)
{
    bool unused;
    struct sp_buf own = {0};
    snakepit_err err = SNAKEPIT_OK;
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        sp_api_refuse(exchange, 401, "the token has ended meanwhile");
        return;
    }
    const bool all = sp_grant_allows_all(exchange->grant, SP_ACCESS_OBSERVE);
    struct sp_buf *document = all ? of_all : &own;
    if (document->size == 0) {
        err = write_document(job, exchange, document, all ? whole : &unused);
    }
    if (err == SNAKEPIT_OK) {
        reply_document(exchange, document);
    } else {
        sp_buf_fini(document); // half of one
        *whole = *whole && !all;
        sp_api_fail(exchange, err, NULL);
    }
    sp_buf_fini(&own);
}

// Each waiter is answered, and gone.
static void reply(struct sp_api_job *job)
{
    struct sp_link *link;
    struct sp_buf document = {0};
    bool whole = false;
    job->loop->job = NULL;
    while ((link = sp_list_take(&job->waiters)) != NULL) {
        struct waiter *waiter = SP_ENTRY(link, struct waiter, link);
        reply_to(waiter->exchange, job, &document, &whole);
        sp_free(waiter);
    }
    if (whole) {
        keep(job->api, &document, job->stamp);
    }
    sp_buf_fini(&document);
}

static void free_job(struct sp_api_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        snakepit_answer_free(job->parts[i].table);
    }
    sp_free(job);
}

// One pool less to wait for.
static void count_down(struct sp_api_job *job)
{
    if (--job->pending > 0) {
        return;
    }
    if (job->loop != NULL) {
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

// The last one to leave has the pools stop.
static void on_gone(void *user)
{
    struct waiter *waiter = user;
    struct sp_api_job *job = waiter->job;
    sp_list_remove(&waiter->link);
    sp_free(waiter);
    if (!sp_list_empty(&job->waiters)) {
        return;
    }
    job->loop->job = job->loop->job == job ? NULL : job->loop->job;
    job->loop = NULL;
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

static void ask(struct sp_api_job *job, const char *pool, snakepit_queue *queue)
{
    struct part *part = &job->parts[job->count++];
    const snakepit_call_options options = {
        .size = sizeof options, .pool = pool, .timeout_ms = ANSWER_MS, .queue = queue};
    *part = (struct part){.job = job, .pool = pool};
    if (snakepit_submit_tools(job->pit, &options, on_table, part, &part->call) ==
        SNAKEPIT_OK) {
        job->pending++;
    } else {
        part->ended = true;
    }
}

// NULL: without memory.
static struct sp_api_job *new_job(struct sp_api *api, struct sp_api_loop *loop)
{
    const size_t room = snakepit_pool_count(api->pit);
    struct sp_api_job *job = sp_alloc(sizeof *job + room * sizeof job->parts[0]);
    if (job == NULL) {
        return NULL;
    }
    sp_list_init(&job->waiters);
    job->loop = loop;
    job->api = api;
    job->pit = api->pit;
    job->room = room;
    job->pending = 1;
    loop->job = job;
    return job;
}

static void ask_all(struct sp_api_job *job, uint64_t stamp, snakepit_queue *queue)
{
    job->stamp = stamp;
    for (size_t i = 0; i < job->room; i++) {
        const char *pool = snakepit_pool_name(job->pit, i);
        if (!is_removed(job->pit, pool)) {
            ask(job, pool, queue);
        }
    }
    count_down(job);
}

static void join(struct waiter *waiter, struct sp_api_job *job)
{
    sp_list_append(&job->waiters, &waiter->link);
    waiter->job = job;
    waiter->exchange->user = waiter;
    waiter->exchange->listener = &listener;
}

void sp_api_openapi(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api *api = sp_api_of(exchange);
    const uint64_t stamp = stamp_of(api->pit);
    (void)params;
    if (sp_grant_allows_all(exchange->grant, SP_ACCESS_OBSERVE) &&
        reply_kept(exchange, api, stamp)) {
        return;
    }
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    struct waiter *waiter = loop == NULL ? NULL : sp_alloc(sizeof *waiter);
    const bool begun = waiter != NULL && loop->job != NULL;
    struct sp_api_job *job = begun ? loop->job : NULL;
    if (waiter != NULL && !begun) {
        job = new_job(api, loop);
    }
    if (job == NULL) {
        sp_free(waiter);
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    waiter->exchange = exchange;
    snakepit_queue *queue = sp_serve_loop_queue(exchange->loop);
    join(waiter, job);
    if (!begun) {
        ask_all(job, stamp, queue);
    }
}
