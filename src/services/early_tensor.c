// SPDX-License-Identifier: MIT
#include "services/early_tensor.h"

#include <string.h>

#include "api/ask.h"
#include "api/inside.h"
#include "api/large.h"
#include "api/models.h"
#include "api/router.h"
#include "base/memory.h"
#include "grpc/large_tensor.h"
#include "pit/tensors.h"
#include "server/grant.h"
#include "server/server.h"

struct sp_early_tensor {
    snakepit *pit;
    struct sp_budget *budget; // where its bytes count
    snakepit_tensor tensor;
    struct sp_large_tensor found;
};

// The name of the pool, with a zero behind it. False: it is none.
static bool copy_name(struct sp_slice pool, char name[SP_PARAM_SIZE])
{
    const struct sp_slice unnamed = sp_slice_of_text("default");
    pool = pool.size == 0 ? unnamed : pool;
    if (pool.size >= SP_PARAM_SIZE || memchr(pool.data, '\0', pool.size) != NULL) {
        return false;
    }
    memcpy(name, pool.data, pool.size);
    name[pool.size] = '\0';
    return true;
}

// Whoever may not is told so when the message is whole.
static bool
may_call(struct sp_exchange *exchange, enum sp_access access, const char *pool)
{
    const struct sp_grant *grant = sp_grant_of(exchange);
    return grant != NULL &&
           sp_grant_allows(grant,
                           access,
                           grant->pools == NULL
                               ? NULL
                               : sp_grant_pool(sp_api_of(exchange)->pit, pool));
}

static struct sp_early_tensor *reserve(struct sp_exchange *exchange,
                                       const char *pool,
                                       const struct sp_large_tensor *found,
                                       void **room)
{
    struct sp_early_tensor *early = sp_alloc(sizeof *early);
    if (early == NULL) {
        return NULL;
    }
    early->pit = sp_api_of(exchange)->pit;
    early->budget = exchange->loop->budget;
    early->found = *found;
    if (!sp_budget_take(early->budget, found->size)) {
        sp_free(early);
        return NULL;
    }
    if (sp_pit_tensor_reserve(
            early->pit, sp_api_pool_name(pool), found->size, &early->tensor, room) !=
        SNAKEPIT_OK) {
        sp_budget_give(early->budget, found->size);
        sp_free(early);
        return NULL;
    }
    return early;
}

// The same of the name of a model.
static bool copy_model(const struct sp_exchange *exchange,
                       struct sp_slice model,
                       char name[SP_PARAM_SIZE])
{
    const size_t size = sp_api_model_pool(exchange, model);
    return size > 0 && copy_name((struct sp_slice){model.data, size}, name);
}

struct sp_early_tensor *sp_early_tensor_begin(const struct sp_large_path *path,
                                              struct sp_exchange *exchange,
                                              enum sp_access access,
                                              struct sp_grpc_reader *reader)
{
    struct sp_large_tensor found;
    char pool[SP_PARAM_SIZE];
    void *room = NULL;
    struct sp_buf *message = &reader->message.bytes;
    const struct sp_slice head = {message->data, message->size};
    if (reader->compressed ||
        !sp_large_tensor_find(path, head, reader->size, SP_API_LARGE, &found) ||
        !(path == &sp_large_path_infer ? copy_model(exchange, found.pool, pool)
                                       : copy_name(found.pool, pool)) ||
        !may_call(exchange, access, pool)) {
        return NULL;
    }
    struct sp_early_tensor *early = reserve(exchange, pool, &found, &room);
    if (early != NULL) {
        sp_large_tensor_leave_out(&found, message->data);
        sp_grpc_reader_put_aside(reader, room, found.at, found.size);
    }
    return early;
}

void sp_early_tensor_put_back(const struct sp_early_tensor *early,
                              struct sp_slice message,
                              struct sp_v1_call_request *request)
{
    if (early != NULL) {
        sp_large_tensor_put_back(
            &early->found, message.data, early->tensor.data, request);
    }
}

void sp_early_tensor_put_back_raw(const struct sp_early_tensor *early,
                                  struct sp_slice message,
                                  struct sp_oip_request *request)
{
    if (early != NULL) {
        sp_large_tensor_put_back_raw(
            &early->found, message.data, early->tensor.data, request);
    }
}

void sp_early_tensor_free(struct sp_early_tensor *early)
{
    if (early != NULL) {
        snakepit_tensor_free(early->pit, &early->tensor);
        sp_budget_give(early->budget, early->found.size);
        sp_free(early);
    }
}
