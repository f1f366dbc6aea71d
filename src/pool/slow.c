// SPDX-License-Identifier: MIT
#include "pool/slow.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "payload/reader.h"
#include "payload/shapes.h"
#include "pool/inside.h"

#define INTERVAL_NS (60 * SP_NS_PER_S) // between two lines for a tool

void sp_slow_set(struct sp_pool *pool, uint32_t limit_ms)
{
    const uint64_t per_ms = UINT64_C(1000) * sp_clock_ticks_per_us();
    pool->slow.ticks = limit_ms == 0 ? UINT64_MAX : limit_ms * per_ms;
    sp_recent_tell(&pool->recent, pool->slow.ticks);
}

struct sp_slow_call *sp_slow_next(struct sp_slow *slow, struct sp_tool *tool)
{
    const uint64_t now = sp_clock_now();
    if (slow->count == SP_SLOW_MOST ||
        (tool->slow_told_at != 0 && now - tool->slow_told_at < INTERVAL_NS)) {
        return NULL;
    }
    tool->slow_told_at = now;
    return &slow->found[slow->count++];
}

// A call that was given up has left its parcel to the worker.
static void describe_request(const struct sp_store *store,
                             const struct sp_parcel *parcel,
                             struct sp_slow_call *row)
{
    const struct sp_slice tool = sp_parcel_tool(store, parcel);
    const struct sp_slice all = {store->segment.base, store->segment.size};
    const struct sp_slice body = {all.data + parcel->body, parcel->body_size};
    snakepit_reader arguments;
    memcpy(row->tool, tool.data, tool.size);
    row->tool[tool.size] = '\0';
    sp_text_clean(row->tool, tool.size, SP_TEXT_LINE);
    sp_reader_init(&arguments, body, all);
    sp_shapes_write(arguments, row->arguments, sizeof row->arguments);
}

void sp_slow_describe(const struct sp_pool *pool,
                      const struct sp_call *call,
                      uint64_t ran_ticks,
                      struct sp_slow_call *row)
{
    const struct sp_parcel *parcel =
        call->parcel != NULL ? call->parcel : call->left_parcel;
    const uint64_t ticks = sp_clock_ticks_per_us();
    const struct sp_seat *seat = call->placement.seat;
    row->worker = seat != NULL ? seat->worker_id : call->fault.worker;
    row->call = call->id;
    row->waited_us = sp_call_waited(call) / ticks;
    row->running_us = ran_ticks / ticks;
    row->ended = call->phase == SP_CALL_ENDED;
    row->tool[0] = '\0';
    row->arguments[0] = '\0';
    if (parcel != NULL) {
        describe_request(&pool->store, parcel, row);
    }
}

// How long a stream takes is its reader's doing.
void sp_slow_note_end(struct sp_pool *pool, const struct sp_call *call)
{
    struct sp_slow *slow = &pool->slow;
    if (call->ran_ticks < slow->ticks || call->stream != NULL) {
        return;
    }
    struct sp_slow_call *row = sp_slow_next(slow, call->tool);
    if (row != NULL) {
        sp_slow_describe(pool, call, call->ran_ticks, row);
    }
}
