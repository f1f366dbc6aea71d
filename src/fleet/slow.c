// SPDX-License-Identifier: MIT
// Calls that run for longer than `slow_call_ms`, for the log, with the place where they
// are. What executors run is looked at once a second; a call's own way has no part in
// it.
#include <string.h>

#include "base/clock.h"
#include "fleet/inside.h"
#include "telemetry/notice.h"

#define INTERVAL_NS (60 * SP_NS_PER_S) // between two lines for a tool
#define FOUND_MOST  4u                 // calls that are told after a look

// Calls that are to be told.
struct found {
    const struct sp_fleet *fleet;
    uint64_t now;
    uint64_t limit_us;
    uint32_t count;
    struct sp_executor_row rows[FOUND_MOST];
};

static bool was_told(const struct sp_fleet *fleet, const char *tool, uint64_t now)
{
    for (uint32_t i = 0; i < SP_SLOW_TOOLS; i++) {
        const struct sp_slow_tool *told = &fleet->slow[i];
        if (told->at != 0 && strcmp(told->name, tool) == 0) {
            return now - told->at < INTERVAL_NS;
        }
    }
    return false;
}

// In place of what was told of it, else of the tool that was told longest ago.
static void note_told(struct sp_fleet *fleet, const char *tool, uint64_t now)
{
    struct sp_slow_tool *place = &fleet->slow[0];
    for (uint32_t i = 0; i < SP_SLOW_TOOLS; i++) {
        struct sp_slow_tool *told = &fleet->slow[i];
        if (told->at != 0 && strcmp(told->name, tool) == 0) {
            place = told;
            break;
        }
        place = told->at < place->at ? told : place;
    }
    memcpy(place->name, tool, strlen(tool) + 1);
    place->at = now;
}

// With the pool's lock held.
static void take_slow(void *user, size_t index, const struct sp_executor_row *row)
{
    struct found *found = user;
    (void)index;
    const bool runs =
        row->state == SP_EXECUTOR_RUNNING || row->state == SP_EXECUTOR_ASKING;
    if (!runs || row->running_us < found->limit_us || row->tool[0] == '\0' ||
        found->count == FOUND_MOST || was_told(found->fleet, row->tool, found->now)) {
        return;
    }
    for (uint32_t i = 0; i < found->count; i++) {
        if (strcmp(found->rows[i].tool, row->tool) == 0) {
            return;
        }
    }
    found->rows[found->count++] = *row;
}

static void tell(struct sp_fleet *fleet, const struct sp_executor_row *row)
{
    struct sp_buf stack = {0};
    sp_fleet_where(fleet, row->worker, row->call, &stack);
    const bool whole = sp_buf_append(&stack, "", 1) == SNAKEPIT_OK;
    sp_log(fleet->options.log,
           call_slow,
           .pool = fleet->options.pool_config->name,
           .worker = row->worker,
           .call = row->call,
           .tool = row->tool,
           .waited_ms = row->waited_us / 1000,
           .running_ms = row->running_us / 1000,
           .stack = whole ? (const char *)stack.data : "");
    sp_buf_fini(&stack);
}

void sp_slow_look(struct sp_fleet *fleet)
{
    const uint32_t limit_ms = fleet->options.pool_config->slow_call_ms;
    struct found found = {
        .fleet = fleet, .now = sp_clock_now(), .limit_us = limit_ms * UINT64_C(1000)};
    if (limit_ms == 0) {
        return;
    }
    (void)sp_pool_executors(fleet->options.pool, 0, take_slow, &found);
    for (uint32_t i = 0; i < found.count; i++) {
        note_told(fleet, found.rows[i].tool, found.now);
        tell(fleet, &found.rows[i]);
    }
}
