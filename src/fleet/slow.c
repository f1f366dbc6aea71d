// SPDX-License-Identifier: MIT
// Calls that run for longer than `slow_call_ms`, for the log, with the place where they
// are, and those that were over before anybody looked. The pool knows which; a call's
// own way has no part in it.
#include "fleet/inside.h"
#include "telemetry/notice.h"

static void tell(struct sp_fleet *fleet, const struct sp_slow_call *slow)
{
    struct sp_buf stack = {0};
    if (!slow->ended) {
        sp_fleet_where(fleet, slow->worker, slow->call, &stack);
    }
    const bool whole = sp_buf_append(&stack, "", 1) == SNAKEPIT_OK;
    sp_log(fleet->options.log,
           call_slow,
           .pool = fleet->options.pool_config->name,
           .worker = slow->worker,
           .call = slow->call,
           .tool = slow->tool,
           .arguments = slow->arguments[0] != '\0' ? slow->arguments : NULL,
           .waited_ms = slow->waited_us / 1000,
           .running_ms = slow->running_us / 1000,
           .ended = slow->ended,
           .stack = whole && stack.size > 1 ? (const char *)stack.data : NULL);
    sp_buf_fini(&stack);
}

void sp_slow_look(struct sp_fleet *fleet)
{
    struct sp_slow_call found[SP_SLOW_MOST];
    const uint32_t count = sp_pool_take_slow(fleet->options.pool, found);
    for (uint32_t i = 0; i < count; i++) {
        tell(fleet, &found[i]);
    }
}
