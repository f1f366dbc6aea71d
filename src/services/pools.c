// SPDX-License-Identifier: MIT
// What there is, and what changes it.
#include "api/pools.h"
#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/memory.h"
#include "grpc/messages.h"
#include "services/call.h"
#include "services/message.h"

// ---- What there is --------------------------------------------------------------

// What does not apply is NULL in some rows.
static struct sp_slice text_of(const char *text)
{
    return sp_slice_of_text(text == NULL ? "" : text);
}

static struct sp_v1_pool pool_of(const snakepit_pool_stats *stats)
{
    return (struct sp_v1_pool){
        .name = text_of(stats->name),
        .profile = text_of(stats->profile),
        .state = text_of(stats->state),
#define SP_POOL_FIGURE(figure) .figure = stats->figure,
#include "pit/pool_figures.def"
    };
}

void sp_grpc_list_pools(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    snakepit *pit = sp_api_of(exchange)->pit;
    struct sp_v1_list_pools_response response = {.which = 0};
    const size_t room = snakepit_pool_count(pit);
    (void)message;
    response.pools.items = sp_alloc_array(room + 1, sizeof *response.pools.items);
    if (response.pools.items == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    for (size_t i = 0; i < room; i++) {
        snakepit_pool_stats stats = {.size = sizeof stats};
        const char *name = snakepit_pool_name(pit, i);
        // One that a reload has just taken away, or that is not the client's, is not
        // there.
        if (name != NULL && sp_api_may(exchange, SP_ACCESS_OBSERVE, name) &&
            snakepit_pool_get_stats(pit, name, &stats) == SNAKEPIT_OK) {
            response.pools.items[response.pools.count++] = pool_of(&stats);
        }
    }
    sp_grpc_answer(exchange, &sp_type_v1_list_pools_response, &response);
    sp_free(response.pools.items);
}

static struct sp_v1_health health_of(const snakepit_health *health)
{
    return (struct sp_v1_health){
        .status = text_of(health->status),
        .checks = health->checks,
        .failures = health->failures,
        .checked_ms = health->checked_ms,
        .consecutive_failures = health->consecutive_failures,
        .message = text_of(health->message),
    };
}

// One pool, with what its lists borrow from.
struct shown {
    const char *pool;
    struct sp_v1_pool figures;
    snakepit_worker_info *workers;
    snakepit_executor_info *running;
    size_t running_count;
    snakepit_health *worker_health;
    snakepit_breaker_info *breakers;
    struct sp_scratch scratch;
    struct sp_v1_get_pool_response response;
};

// False: there is no memory for them.
static bool show_executors(struct shown *shown, struct sp_v1_worker *worker)
{
    const struct sp_api_executors its = sp_api_executors_of(
        (struct sp_api_executors){shown->running, shown->running_count}, worker->id);
    struct sp_v1_executor *items =
        sp_scratch_take(&shown->scratch, (its.count + 1) * sizeof *items);
    for (size_t i = 0; i < its.count && items != NULL; i++) {
        const snakepit_executor_info *row = &its.rows[i];
        items[i] = (struct sp_v1_executor){.executor = row->executor,
                                           .state = text_of(row->state),
                                           .tool = text_of(row->tool),
                                           .call = row->call,
                                           .since_ms = row->since_ms,
                                           .running_us = row->running_us};
    }
    worker->executors.items = items;
    worker->executors.count = its.count;
    return items != NULL;
}

static snakepit_err show_workers(snakepit *pit, struct shown *shown)
{
    size_t count = 0;
    snakepit_err err = sp_api_workers(pit, shown->pool, &shown->workers, &count);
    if (err == SNAKEPIT_OK) {
        err =
            sp_api_executors(pit, shown->pool, &shown->running, &shown->running_count);
    }
    struct sp_v1_worker *items =
        sp_scratch_take(&shown->scratch, (count + 1) * sizeof *items);
    struct sp_v1_health *healths =
        sp_scratch_take(&shown->scratch, (count + 1) * sizeof *healths);
    shown->worker_health = sp_alloc_array(count + 1, sizeof *shown->worker_health);
    if (items == NULL || healths == NULL || shown->worker_health == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const snakepit_worker_info *row = &shown->workers[i];
        shown->worker_health[i] = sp_api_worker_health(pit, shown->pool, row);
        healths[i] = health_of(&shown->worker_health[i]);
        items[i] = (struct sp_v1_worker){.id = row->id,
                                         .pid = (uint64_t)row->pid,
                                         .state = text_of(row->state),
                                         .load = row->load,
                                         .capacity = row->capacity,
                                         .device = text_of(row->device),
                                         .stuck = row->stuck,
                                         .isolated = row->isolated,
                                         .health = &healths[i],
                                         .age_ms = row->age_ms,
                                         .calls = row->calls,
                                         .rss_bytes = row->rss_bytes,
                                         .pss_bytes = row->pss_bytes,
                                         .threads = row->threads,
                                         .python = text_of(row->python)};
        if (!show_executors(shown, &items[i])) {
            return SNAKEPIT_NO_MEMORY;
        }
    }
    shown->response.workers.items = items;
    shown->response.workers.count = count;
    return err;
}

static snakepit_err show_breakers(snakepit *pit, struct shown *shown)
{
    size_t count = 0;
    snakepit_err err = sp_api_breakers(pit, shown->pool, &shown->breakers, &count);
    struct sp_v1_breaker *items =
        sp_scratch_take(&shown->scratch, (count + 1) * sizeof *items);
    if (items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const snakepit_breaker_info *row = &shown->breakers[i];
        items[i] = (struct sp_v1_breaker){.tool = text_of(row->tool),
                                          .state = text_of(row->state),
                                          .failures = row->failures,
                                          .retry_after_ms = row->retry_after_ms};
    }
    shown->response.breakers.items = items;
    shown->response.breakers.count = count;
    return err;
}

static void show_pool(struct sp_exchange *exchange, const char *name)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    struct shown shown = {.pool = sp_api_pool_name(name)};
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_err err = snakepit_pool_get_stats(pit, shown.pool, &stats);
    if (err == SNAKEPIT_OK) {
        shown.figures = pool_of(&stats);
        shown.response.pool = &shown.figures;
        err = show_workers(pit, &shown);
    }
    err = err == SNAKEPIT_OK ? show_breakers(pit, &shown) : err;
    if (err == SNAKEPIT_OK) {
        sp_grpc_answer(exchange, &sp_type_v1_get_pool_response, &shown.response);
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    sp_free(shown.workers);
    sp_free(shown.running);
    sp_free(shown.worker_health);
    sp_free(shown.breakers);
    sp_scratch_fini(&shown.scratch);
}

void sp_grpc_get_pool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_get_pool_request request = {.which = 0};
    char pool[SP_PARAM_SIZE];
    if (sp_grpc_decode(call->exchange,
                       &sp_type_v1_get_pool_request,
                       message,
                       &scratch,
                       &request) &&
        sp_grpc_pool(call, request.pool, pool)) {
        show_pool(call->exchange, pool);
    }
    sp_scratch_fini(&scratch);
}

// ---- What changes it ------------------------------------------------------------

void sp_grpc_recycle_pool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_recycle_pool_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_recycle_pool_request, message, &scratch, &request) &&
        sp_grpc_pool(call, request.pool, params.of[0])) {
        sp_api_recycle_pool(exchange, &params);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_retry_pool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_retry_pool_request request = {.which = 0};
    struct sp_params params;
    if (sp_grpc_decode(
            exchange, &sp_type_v1_retry_pool_request, message, &scratch, &request) &&
        sp_grpc_pool(call, request.pool, params.of[0])) {
        sp_api_retry_pool(exchange, &params);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_resize_pool(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_resize_pool_request request = {.which = 0};
    char pool[SP_PARAM_SIZE];
    if (sp_grpc_decode(
            exchange, &sp_type_v1_resize_pool_request, message, &scratch, &request) &&
        sp_grpc_pool(call, request.pool, pool)) {
        sp_api_resize(exchange, pool, request.workers);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_recycle_worker(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    struct sp_scratch scratch = {.used = 0};
    struct sp_v1_recycle_worker_request request = {.which = 0};
    if (sp_grpc_decode(exchange,
                       &sp_type_v1_recycle_worker_request,
                       message,
                       &scratch,
                       &request)) {
        sp_api_recycle(exchange, request.worker);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_reload(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    sp_api_reload(call->exchange, NULL);
}

void sp_grpc_drain(struct sp_grpc_call *call, struct sp_slice message)
{
    (void)message;
    sp_api_drain(call->exchange, NULL);
}
