// SPDX-License-Identifier: MIT
#include "services/large.h"

#include "api/reply.h"
#include "base/memory.h"
#include "server/budget.h"
#include "server/server.h"
#include "services/early_tensor.h"

static void read_message(struct sp_offload_work *work)
{
    struct sp_grpc_large *large = SP_ENTRY(work, struct sp_grpc_large, work);
    large->ops->read(large, (struct sp_slice){large->bytes.data, large->bytes.size});
}

static void is_read(struct sp_offload_work *work)
{
    struct sp_grpc_large *large = SP_ENTRY(work, struct sp_grpc_large, work);
    if (large->call != NULL) {
        sp_grpc_resume(large->call, large->ops->then);
    }
    large->ops->fini(large);
    sp_early_tensor_free(large->early);
    sp_buf_fini(&large->bytes);
    sp_budget_give(large->budget, large->counted);
    sp_free(large);
}

static void nobody_waits(struct sp_grpc_call *call)
{
    struct sp_grpc_large *large = call->state;
    large->call = NULL;
    // The call counts its message no longer.
    large->counted = large->bytes.capacity;
    sp_budget_charge(large->budget, large->counted);
}

void sp_grpc_large_begin(struct sp_grpc_call *call, const struct sp_grpc_large_ops *ops)
{
    static const struct sp_grpc_holder holder = {.over = nobody_waits, .stays = true};
    struct sp_grpc_large *large = sp_alloc(ops->size);
    if (large == NULL) {
        sp_api_fail(call->exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    large->work.run = read_message;
    large->work.done = is_read;
    large->call = call;
    large->ops = ops;
    large->config = sp_serve_loop_config(call->exchange->loop);
    large->budget = call->exchange->loop->budget;
    large->early = sp_grpc_take_message(call, &large->bytes);
    call->state = large;
    sp_grpc_hold(call, &holder);
    sp_offload_do(call->exchange->loop, &large->work);
}
