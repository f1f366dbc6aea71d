// SPDX-License-Identifier: MIT
#include "pit/relay.h"

#include "pit/pit.h"

static struct sp_pit_request request_of(const struct sp_pit_relayed *call)
{
    return (struct sp_pit_request){
        .tool = call->tool,
        .args = call->args,
        .options = call->options,
        .order = {.done = call->done,
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
