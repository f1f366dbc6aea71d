// SPDX-License-Identifier: MIT
// What the handlers of a daemon, and those of one of its loops, have in common.
#include "api/inside.h"
#include "base/memory.h"
#include "server/server.h"

struct sp_api *sp_api_of(const struct sp_exchange *exchange)
{
    return sp_serve_loop_user(exchange->loop);
}

static struct sp_api_loop *new_loop(struct sp_api *api, const struct sp_serve_loop *of)
{
    struct sp_api_loop *loop = sp_alloc(sizeof *loop);
    if (loop == NULL) {
        return NULL;
    }
    loop->of = of;
    sp_list_init(&loop->streams);
    sp_list_init(&loop->busy);
    sp_list_init(&loop->held);
    loop->next = atomic_load(&api->loops);
    while (!atomic_compare_exchange_weak(&api->loops, &loop->next, loop)) {
    }
    return loop;
}

struct sp_api_loop *sp_api_loop_of(const struct sp_exchange *exchange)
{
    struct sp_api *api = sp_api_of(exchange);
    struct sp_api_loop *loop = atomic_load(&api->loops);
    while (loop != NULL && loop->of != exchange->loop) {
        loop = loop->next;
    }
    return loop != NULL ? loop : new_loop(api, exchange->loop);
}
