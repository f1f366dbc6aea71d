// SPDX-License-Identifier: MIT
// The OpenAPI document is made of the tools of all pools (api/tables.h), and kept until
// there are other workers. A pool that does not answer in time is left out, and then
// the document is not kept. A client that may not see all pools gets one of its own.
#include "api/gate.h"
#include "api/inside.h"
#include "api/openapi.h"
#include "api/reply.h"
#include "api/tables.h"
#include "base/memory.h"
#include "server/server.h"

#define ANSWER_MS 2000u // that a pool has

// ---- The document that is kept --------------------------------------------------

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

// The pools that `grant` shows.
static void write_parts(struct sp_openapi *openapi,
                        const struct sp_api_tables *tables,
                        const struct sp_grant *grant)
{
    for (size_t i = 0; i < tables->count; i++) {
        snakepit_reader reader;
        const struct sp_api_table *table = &tables->tables[i];
        if (table->answer != NULL &&
            sp_grant_allows(grant, SP_ACCESS_OBSERVE, table->pool)) {
            snakepit_answer_reader(table->answer, &reader);
            sp_openapi_add_pool(openapi, table->pool, &reader);
        }
    }
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

static void reply_to(struct sp_exchange *exchange, const struct sp_api_tables *tables)
{
    struct sp_openapi openapi;
    struct sp_buf document = {0};
    struct sp_api *api = sp_api_of(exchange);
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        sp_api_refuse(exchange, 401, "the token has ended meanwhile");
        return;
    }
    const bool all = sp_grant_allows_all(exchange->grant, SP_ACCESS_OBSERVE);
    if (all && reply_kept(exchange, api, tables->stamp)) {
        return;
    }
    sp_openapi_begin(
        &openapi, &document, tokens_of(sp_serve_loop_config(exchange->loop)));
    write_parts(&openapi, tables, exchange->grant);
    snakepit_err err = sp_openapi_end(&openapi);
    if (err == SNAKEPIT_OK) {
        reply_document(exchange, &document);
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    if (err == SNAKEPIT_OK && all && tables->whole) {
        keep(api, &document, tables->stamp);
    }
    sp_buf_fini(&document);
}

static void on_told(struct sp_api_tables_waiter *waiter, struct sp_api_tables *tables)
{
    struct sp_exchange *exchange = waiter->exchange;
    sp_free(waiter);
    reply_to(exchange, tables);
}

static void on_gone(struct sp_api_tables_waiter *waiter)
{
    sp_free(waiter);
}

void sp_api_openapi(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api *api = sp_api_of(exchange);
    (void)params;
    if (sp_grant_allows_all(exchange->grant, SP_ACCESS_OBSERVE) &&
        reply_kept(exchange, api, sp_api_tables_stamp(api->pit))) {
        return;
    }
    struct sp_api_tables_waiter *waiter = sp_alloc(sizeof *waiter);
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (waiter != NULL) {
        *waiter = (struct sp_api_tables_waiter){
            .exchange = exchange, .told = on_told, .gone = on_gone};
        err = sp_api_tables_get(waiter, ANSWER_MS);
    }
    if (err != SNAKEPIT_OK) {
        sp_free(waiter);
        sp_api_fail(exchange, err, NULL);
    }
}
