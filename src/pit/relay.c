// SPDX-License-Identifier: MIT
#include "pit/relay.h"

#include "pit/pit.h"
#include "pit/queue.h"

static struct sp_pit_request request_of(const struct sp_pit_relayed *call)
{
    return (struct sp_pit_request){
        .tool = call->tool,
        .args = call->args,
        .options = call->options,
        .order = {.text = {.loan = call->loan},
                  .done = call->done,
                  .user = call->user,
                  .asks = call->asks,
                  .asks_user = call->user},
    };
}

snakepit_err
sp_pit_relay(snakepit *pit, const struct sp_pit_relayed *call, snakepit_call_id *id)
{
    struct sp_pit_request request = request_of(call);
    request.order.id = id;
    return sp_pit_submit(pit, &request);
}

snakepit_err sp_pit_relay_stream(snakepit *pit,
                                 const struct sp_pit_relayed *call,
                                 snakepit_stream **stream)
{
    struct sp_pit_request request = request_of(call);
    return sp_pit_stream_open(pit, &request, stream);
}

snakepit_err sp_pit_window_open(snakepit *pit,
                                const char *pool,
                                int fd,
                                struct sp_slice memory,
                                struct sp_window **window)
{
    struct sp_pool *found = sp_pit_pool(pit, pool);
    return found == NULL ? SNAKEPIT_UNKNOWN_POOL
                         : sp_window_open(found, fd, memory, window);
}

size_t sp_pit_linger(snakepit_queue *queue)
{
    return sp_queue_linger(queue);
}
