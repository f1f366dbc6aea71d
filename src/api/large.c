// SPDX-License-Identifier: MIT
#include "api/large.h"

#include "api/ask.h"
#include "server/server.h"

static struct sp_api_large *of_work(struct sp_offload_work *work)
{
    return SP_ENTRY(work, struct sp_api_large, work);
}

static snakepit_err read_body(struct sp_api_large *large)
{
    return large->ops->read == NULL
               ? sp_body_read(&large->body, large->value, &large->why)
               : large->ops->read(large);
}

static void run(struct sp_offload_work *work)
{
    struct sp_api_large *large = of_work(work);
    large->value = snakepit_writer_new();
    large->err = large->value == NULL ? SNAKEPIT_NO_MEMORY : read_body(large);
    if (large->err == SNAKEPIT_OK) {
        large->err = large->ops->use(large);
    }
    if (large->value != NULL) {
        snakepit_writer_free(large->value);
        sp_buf_fini(&large->bytes);
    }
}

static void done(struct sp_offload_work *work)
{
    struct sp_api_large *large = of_work(work);
    struct sp_buf bytes = large->bytes;
    struct sp_budget *budget = large->budget;
    const size_t counted = large->exchange == NULL ? large->taken : 0;
    if (large->exchange != NULL) {
        large->exchange->listener = NULL;
    }
    large->ops->done(large);
    sp_buf_fini(&bytes);
    sp_budget_give(budget, counted);
}

static void on_gone(void *user)
{
    struct sp_api_large *large = user;
    large->exchange = NULL;
    sp_budget_charge(large->budget, large->taken); // the request counts it no longer
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

bool sp_api_is_large(const struct sp_exchange *exchange)
{
    return exchange->request.body.size > SP_API_LARGE &&
           exchange->request.body_buf != NULL;
}

void sp_api_large_begin(struct sp_api_large *large,
                        struct sp_exchange *exchange,
                        const struct sp_api_large_ops *ops)
{
    large->exchange = exchange;
    large->ops = ops;
    large->err = SNAKEPIT_SHUTTING_DOWN; // if it never runs
    large->body = sp_api_body_of(exchange);
    (void)sp_exchange_take_body(exchange, &large->bytes);
    large->budget = exchange->loop->budget;
    large->taken = large->bytes.capacity;
    large->work.run = run;
    large->work.done = done;
    exchange->user = large;
    exchange->listener = &listener;
    sp_offload_do(exchange->loop, &large->work);
}

bool sp_api_large_is_over(struct sp_api_large *large)
{
    if (large->exchange == NULL || large->err == SNAKEPIT_OK) {
        return large->exchange == NULL;
    }
    sp_api_refuse_body(large->exchange, large->err, large->ops->what, &large->why);
    return true;
}
