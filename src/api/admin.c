// SPDX-License-Identifier: MIT
// What changes the pools. A reload reads files and waits, so it has a thread of its
// own; its loop hears of the end by a descriptor.
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/thread.h"
#include "http/percent.h"
#include "server/server.h"
#include "telemetry/notice.h"

#define WORKERS_MOST UINT32_MAX

// Asked for, and not done yet.
static void accept_order(struct sp_exchange *exchange,
                         snakepit_err err,
                         const snakepit_message *why)
{
    if (err == SNAKEPIT_OK) {
        sp_api_accepted(exchange);
    } else {
        sp_api_fail(exchange, err, why->text);
    }
}

// Who asked, for those who read the log. NULL: a listener without tokens.
static const char *token_of(const struct sp_exchange *exchange)
{
    const struct sp_grant *grant = sp_grant_of(exchange);
    return grant != NULL && grant->name[0] != '\0' ? grant->name : NULL;
}

// `pool` NULL or `worker` SP_UNTOLD.
static void
log_recycle(const struct sp_exchange *exchange, const char *pool, uint64_t worker)
{
    const struct sp_api *api = sp_api_of(exchange);
    if (api->log != NULL) {
        sp_log(api->log,
               serve_recycle,
               .client = exchange->peer->address,
               .token = token_of(exchange),
               .pool = pool,
               .worker = worker);
    }
}

static void log_drain(const struct sp_exchange *exchange)
{
    const struct sp_api *api = sp_api_of(exchange);
    if (api->log != NULL) {
        sp_log(api->log,
               serve_drain,
               .client = exchange->peer->address,
               .token = token_of(exchange));
    }
}

// ---- Pools ----------------------------------------------------------------------

// The C API takes NULL for all pools in these, so the default pool is named.
static const char *pool_of(const struct sp_exchange *exchange, const char *name)
{
    return sp_grant_pool(sp_api_of(exchange)->pit, name);
}

void sp_api_recycle_pool(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_message why = {{0}};
    const char *pool = pool_of(exchange, params->of[0]);
    snakepit_err err = snakepit_pool_recycle(sp_api_of(exchange)->pit, pool, &why);
    if (err == SNAKEPIT_OK) {
        log_recycle(exchange, pool, (uint64_t)SP_UNTOLD);
    }
    accept_order(exchange, err, &why);
}

void sp_api_retry_pool(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_message why = {{0}};
    snakepit_err err = snakepit_pool_retry(
        sp_api_of(exchange)->pit, pool_of(exchange, params->of[0]), &why);
    accept_order(exchange, err, &why);
}

void sp_api_resize(struct sp_exchange *exchange, const char *pool, uint32_t workers)
{
    snakepit_message why = {{0}};
    snakepit_err err = snakepit_pool_resize(
        sp_api_of(exchange)->pit, sp_api_pool_name(pool), workers, &why);
    accept_order(exchange, err, &why);
}

void sp_api_resize_pool(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint64_t workers = 0;
    const struct sp_slice value = sp_query_find(exchange->request.query, "workers");
    if (!sp_api_number(value, 0, WORKERS_MOST, &workers)) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "say how many workers: POST ...:resize?workers=4");
        return;
    }
    sp_api_resize(exchange, params->of[0], (uint32_t)workers);
}

// ---- Workers --------------------------------------------------------------------

void sp_api_explain_no_worker(uint64_t worker, snakepit_message *why)
{
    (void)snprintf(why->text,
                   sizeof why->text,
                   "there is no worker %" PRIu64
                   "; the ids are listed by snakepit workers, and by "
                   "GET /v1/pools/{pool}",
                   worker);
}

// Ids are those of the pit, so one pool at most has the worker. Those of pools that are
// not the client's are not there.
static snakepit_err recycle_wherever_it_is(const struct sp_exchange *exchange,
                                           uint64_t worker,
                                           snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    snakepit *pit = sp_api_of(exchange)->pit;
    const size_t count = snakepit_pool_count(pit);
    for (size_t i = 0; i < count && err == SNAKEPIT_NOT_FOUND; i++) {
        const char *pool = snakepit_pool_name(pit, i);
        if (pool != NULL && sp_api_may(exchange, SP_ACCESS_ADMIN, pool)) {
            err = snakepit_worker_recycle(pit, pool, worker, why);
        }
    }
    if (err == SNAKEPIT_NOT_FOUND) {
        sp_api_explain_no_worker(worker, why);
    }
    return err;
}

void sp_api_recycle(struct sp_exchange *exchange, uint64_t worker)
{
    snakepit_message why = {{0}};
    snakepit_err err = recycle_wherever_it_is(exchange, worker, &why);
    if (err == SNAKEPIT_OK) {
        log_recycle(exchange, NULL, worker);
    }
    accept_order(exchange, err, &why);
}

void sp_api_recycle_worker(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint64_t worker = 0;
    if (sp_api_number(sp_slice_of_text(params->of[0]), 1, UINT64_MAX, &worker)) {
        sp_api_recycle(exchange, worker);
    } else {
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, SP_API_NO_WORKER_ID);
    }
}

// ---- The daemon -----------------------------------------------------------------

// Its own answer is among what has begun, so it is sent.
void sp_api_drain(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api *api = sp_api_of(exchange);
    (void)params;
    if (!sp_api_admit_to_all(exchange, SP_ACCESS_ADMIN)) {
        return;
    }
    if (api->drain == NULL) {
        sp_api_fail(exchange, SNAKEPIT_UNSUPPORTED, NULL);
        return;
    }
    log_drain(exchange);
    api->drain(api->user);
    sp_api_accepted(exchange);
}

// ---- Reload ---------------------------------------------------------------------

// Owner: the loop of its exchange while somebody waits, else whoever holds sp_api.lock.
// What the thread writes is read once it is done.
struct sp_api_reload {
    struct sp_api *api;
    struct sp_server *server;
    struct sp_exchange *exchange;
    char client[SP_PEER_ADDRESS_SIZE];
    struct sp_watch watch;
    pthread_t thread;
    int bell; // eventfd; -1: there is none
    snakepit_err err;
    snakepit_message why;
    _Atomic bool done;
    _Atomic bool waited; // for, by the exchange
};

// The client hears why one failed, if it still waits; so does who reads the log later.
static void log_reload(const struct sp_api_reload *reload)
{
    const struct sp_api *api = reload->api;
    if (api->log == NULL) {
        return;
    }
    if (reload->err != SNAKEPIT_OK) {
        sp_log(api->log,
               serve_reload_failed,
               .by = "http",
               .client = reload->client,
               .error = snakepit_err_name(reload->err),
               .because = reload->why.text,
               .then = "nothing has changed");
    } else {
        sp_log(api->log,
               serve_reloaded,
               .file = api->path,
               .by = "http",
               .client = reload->client);
    }
}

static void *run_reload(void *argument)
{
    struct sp_api_reload *reload = argument;
    const uint64_t one = 1;
    reload->err = sp_server_reload(reload->server, reload->api->path, &reload->why);
    log_reload(reload);
    atomic_store(&reload->done, true);
    ssize_t written = write(reload->bell, &one, sizeof one);
    (void)written;
    return NULL;
}

static void free_reload(struct sp_api_reload *reload)
{
    (void)pthread_join(reload->thread, NULL);
    sp_descriptor_close(&reload->bell);
    sp_free(reload);
}

// The one that runs or has run is nobody's any more. Waits for it.
void sp_api_finish_reload(struct sp_api *api)
{
    pthread_mutex_lock(&api->lock);
    struct sp_api_reload *reload = api->reload;
    api->reload = NULL;
    pthread_mutex_unlock(&api->lock);
    if (reload != NULL) {
        free_reload(reload);
    }
}

static void on_reloaded(struct sp_watch *watch)
{
    struct sp_api_reload *reload = watch->user;
    struct sp_exchange *exchange = reload->exchange;
    const snakepit_err err = reload->err;
    const snakepit_message why = reload->why;
    sp_watch_stop(watch);
    sp_api_finish_reload(reload->api);
    if (err == SNAKEPIT_OK) {
        sp_api_done(exchange);
    } else {
        sp_api_fail(exchange, err, why.text);
    }
}

// It goes on, and the next one, or the end, waits for it.
static void on_gone(void *user)
{
    struct sp_api_reload *reload = user;
    sp_watch_stop(&reload->watch);
    atomic_store(&reload->waited, false);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// With the lock held. BUSY: another one runs.
static snakepit_err make_place(struct sp_api *api)
{
    struct sp_api_reload *before = api->reload;
    if (before != NULL &&
        (atomic_load(&before->waited) || !atomic_load(&before->done))) {
        return SNAKEPIT_BUSY;
    }
    api->reload = NULL;
    if (before != NULL) {
        free_reload(before);
    }
    return SNAKEPIT_OK;
}

// SYSTEM: no descriptor or thread.
static snakepit_err start(struct sp_api_reload *reload)
{
    reload->bell = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (reload->bell < 0) {
        return SNAKEPIT_SYSTEM;
    }
    reload->watch.user = reload;
    snakepit_err err = sp_watch_start(&reload->watch,
                                      &reload->exchange->loop->loop,
                                      reload->bell,
                                      on_reloaded,
                                      &reload->why);
    if (err == SNAKEPIT_OK &&
        sp_thread_start(&reload->thread, run_reload, reload) != 0) {
        sp_watch_stop(&reload->watch);
        err = SNAKEPIT_SYSTEM;
    }
    return err;
}

static snakepit_err begin_reload(struct sp_api *api, struct sp_exchange *exchange)
{
    struct sp_api_reload *reload = sp_alloc(sizeof *reload);
    if (reload == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    reload->api = api;
    reload->exchange = exchange;
    (void)snprintf(
        reload->client, sizeof reload->client, "%s", exchange->peer->address);
    reload->server = exchange->loop->server;
    reload->waited = true;
    reload->bell = -1;
    pthread_mutex_lock(&api->lock);
    snakepit_err err = make_place(api);
    if (err == SNAKEPIT_OK) {
        err = start(reload);
        api->reload = err == SNAKEPIT_OK ? reload : NULL;
    }
    pthread_mutex_unlock(&api->lock);
    if (err == SNAKEPIT_OK) {
        exchange->user = reload;
        exchange->listener = &listener;
        return err;
    }
    sp_descriptor_close(&reload->bell);
    sp_free(reload);
    return err;
}

void sp_api_reload(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_api *api = sp_api_of(exchange);
    (void)params;
    if (!sp_api_admit_to_all(exchange, SP_ACCESS_ADMIN)) {
        return;
    }
    if (api->path == NULL) {
        sp_api_fail(exchange,
                    SNAKEPIT_UNSUPPORTED,
                    "the configuration is not a file that could be read again");
        return;
    }
    snakepit_err err = begin_reload(api, exchange);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(
            exchange, err, err == SNAKEPIT_BUSY ? "another reload is under way" : NULL);
    }
}
