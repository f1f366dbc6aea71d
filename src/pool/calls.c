// SPDX-License-Identifier: MIT
// For those who look: which calls there are, and which have been.
#include "pool/inside.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

// Rows that are being filled.
struct rows {
    const struct sp_pool *pool;
    struct sp_call_row *first;
    size_t room;
    size_t count;
};

static uint64_t us_since(uint64_t ticks)
{
    const uint64_t now = sp_clock_ticks();
    return ticks == 0 || now < ticks ? 0 : (now - ticks) / sp_clock_ticks_per_us();
}

static void copy_text(char *to, size_t most, struct sp_slice text)
{
    const size_t size = text.size < most ? text.size : most;
    memcpy(to, text.data, size);
    to[size] = '\0';
    sp_text_clean(to, strlen(to), SP_TEXT_LINE);
}

static void
name(const struct rows *rows, struct sp_call_row *row, const struct sp_parcel *parcel)
{
    const struct sp_slice tool = sp_parcel_tool(&rows->pool->store, parcel);
    const struct sp_slice session = sp_parcel_session(&rows->pool->store, parcel);
    copy_text(row->tool, SP_TOOL_NAME_MAX, tool);
    copy_text(row->session, SP_SESSION_MAX, session);
}

// NULL: there is no room for one more.
static struct sp_call_row *next(struct rows *rows)
{
    struct sp_call_row *row =
        rows->count < rows->room ? &rows->first[rows->count] : NULL;
    rows->count++;
    if (row != NULL) {
        *row = (struct sp_call_row){.executor = SP_EXECUTOR_NONE};
    }
    return row;
}

static void
describe(const struct rows *rows, struct sp_call_row *row, const struct sp_call *call)
{
    row->call = call->id;
    row->deadline = call->deadline;
    row->retries = call->retries;
    row->priority = call->priority;
    row->streams = call->stream != NULL;
    name(rows, row, call->parcel);
}

static void set_run(struct sp_call_row *row, const struct sp_port *port)
{
    struct sp_port_run run;
    if (sp_port_find_run(port, row->call, &run) && run.executor < SP_EXECUTOR_NONE) {
        row->executor = (uint16_t)run.executor;
        row->since_us = us_since(run.since);
    }
}

static void add_placed(struct rows *rows, const struct sp_call *call)
{
    const struct sp_seat *seat = call->placement.seat;
    struct sp_call_row *row = call->checks ? NULL : next(rows);
    if (row == NULL) {
        return;
    }
    describe(rows, row, call);
    row->worker = seat->worker_id;
    row->stage = sp_port_state(seat->port, call->placement.slot) == SP_SLOT_QUEUED
                     ? SP_STAGE_WORKER
                     : SP_STAGE_RUNNING;
    if (row->stage == SP_STAGE_RUNNING) {
        set_run(row, seat->port);
    }
}

static void add_orphan(struct rows *rows,
                       const struct sp_seat *seat,
                       const struct sp_orphan *orphan)
{
    struct sp_call_row *row = orphan->checks ? NULL : next(rows);
    if (row == NULL) {
        return;
    }
    row->call = orphan->call;
    row->worker = seat->worker_id;
    row->stage = SP_STAGE_STOPPING;
    row->deadline = SP_NEVER;
    set_run(row, seat->port);
    const uint64_t now = sp_clock_now();
    row->since_us = now > orphan->since ? (now - orphan->since) / SP_NS_PER_US : 0;
    name(rows, row, orphan->parcel);
}

static void add_line(struct rows *rows, const struct sp_link *list)
{
    for (struct sp_link *link = list->next; link != list && rows->count < rows->room;
         link = link->next) {
        const struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        struct sp_call_row *row = next(rows);
        describe(rows, row, call);
        row->since_us = us_since(call->lined_at);
    }
}

static void add_seat(struct rows *rows, const struct sp_seat *seat)
{
    struct sp_link *link;
    for (link = seat->calls.next; link != &seat->calls; link = link->next) {
        add_placed(rows, SP_ENTRY(link, struct sp_call, placement.link));
    }
    for (link = seat->orphans.next; link != &seat->orphans; link = link->next) {
        add_orphan(rows, seat, SP_ENTRY(link, struct sp_orphan, link));
    }
}

size_t sp_pool_calls(struct sp_pool *pool, struct sp_call_row *rows, size_t room)
{
    struct rows all = {.pool = pool, .first = rows, .room = room};
    struct sp_link *link;
    pthread_mutex_lock(&pool->lock);
    for (link = pool->seats.next; link != &pool->seats; link = link->next) {
        add_seat(&all, SP_ENTRY(link, struct sp_seat, member));
    }
    const size_t count = all.count + pool->line.count;
    for (link = pool->seats.next; link != &pool->seats; link = link->next) {
        add_line(&all, &SP_ENTRY(link, struct sp_seat, member)->waiting);
    }
    add_line(&all, &pool->line.calls);
    add_line(&all, &pool->line.delayed);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

// ---- Those that have ended ------------------------------------------------------

static bool records(struct sp_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const bool on = pool->recent.rows != NULL;
    pthread_mutex_unlock(&pool->lock);
    return on;
}

snakepit_err sp_pool_record(struct sp_pool *pool, bool on)
{
    struct sp_ended *rows = NULL;
    if (on == records(pool)) {
        return SNAKEPIT_OK;
    }
    if (on) {
        rows = sp_alloc_array(SP_RECENT_ROWS, sizeof *rows);
        if (rows == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
    }
    pthread_mutex_lock(&pool->lock);
    if (on != (pool->recent.rows != NULL)) {
        rows = sp_recent_record(&pool->recent, rows);
    }
    pthread_mutex_unlock(&pool->lock);
    sp_free(rows);
    return SNAKEPIT_OK;
}

size_t
sp_pool_ended(struct sp_pool *pool, uint64_t after, struct sp_ended *rows, size_t room)
{
    pthread_mutex_lock(&pool->lock);
    size_t count = sp_recent_copy(&pool->recent, after, rows, room);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

size_t sp_pool_kept(struct sp_pool *pool,
                    uint64_t after,
                    struct sp_kept_call *rows,
                    size_t room)
{
    pthread_mutex_lock(&pool->lock);
    size_t count = sp_recent_copy_kept(&pool->recent, after, rows, room);
    pthread_mutex_unlock(&pool->lock);
    return count;
}
