// SPDX-License-Identifier: MIT
// All figures as one text, for whoever collects them.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pit/times.h"
#include "telemetry/exposition.h"

static snakepit_err
collect_tools(struct sp_pool *pool, struct sp_tool_figures **rows, uint32_t *count)
{
    const uint32_t room = sp_pool_tool_count(pool);
    struct sp_tool_figures *tools = sp_alloc_array(room, sizeof *tools);
    if (tools == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *count = sp_pool_tools(pool, tools, room);
    *rows = tools;
    return SNAKEPIT_OK;
}

static snakepit_err collect_pool(struct sp_pit_pool *place, struct sp_figures *now)
{
    sp_pool_times(place->pool, &now->line, &now->run);
    sp_pool_figures(place->pool, now);
    now->busy = sp_pool_busy_executors(place->pool);
    now->backed_bytes = sp_store_backed(sp_pool_store(place->pool));
    const snakepit_err err = sp_fleet_lives(&place->fleet, &now->workers);
    return err == SNAKEPIT_OK
               ? collect_tools(place->pool, &now->tools, &now->tool_count)
               : err;
}

// Those that are wanted, in the order of the configuration. `figures` has room for all.
static snakepit_err collect(snakepit *pit,
                            const snakepit_metrics_options *options,
                            struct sp_figures *figures,
                            size_t room,
                            size_t *count)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < room && err == SNAKEPIT_OK; i++) {
        struct sp_figures *now = &figures[*count];
        const char *name = snakepit_pool_name(pit, i);
        struct sp_pit_pool *place = name == NULL ? NULL : sp_pit_find(pit, name);
        if (place == NULL ||
            (options->wants != NULL && !options->wants(options->user, name))) {
            continue;
        }
        now->stats.size = sizeof now->stats;
        if (snakepit_pool_get_stats(pit, name, &now->stats) == SNAKEPIT_OK) {
            err = collect_pool(place, now);
            ++*count;
        }
    }
    return err;
}

static snakepit_err
write_all(snakepit *pit, const snakepit_metrics_options *options, struct sp_buf *text)
{
    const size_t room = snakepit_pool_count(pit);
    struct sp_figures *figures = sp_alloc_array(room + 1, sizeof *figures);
    struct sp_all_figures all = {.pools = figures};
    if (figures == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = collect(pit, options, figures, room, &all.count);
    sp_sessions_figures(&pit->sessions, &all.sessions);
    if (err == SNAKEPIT_OK) {
        err = sp_exposition_write(text, &all, options->openmetrics);
    }
    if (err == SNAKEPIT_OK && options->openmetrics && !options->goes_on) {
        err = sp_exposition_end(text);
    }
    for (size_t i = 0; i < all.count; i++) {
        sp_free(figures[i].tools);
    }
    sp_free(figures);
    return err == SNAKEPIT_OK ? sp_buf_append(text, "", 1) : err;
}

snakepit_err snakepit_metrics(snakepit *pit,
                              const snakepit_metrics_options *options,
                              char **text,
                              size_t *size)
{
    SP_UNCANCELLED;
    snakepit_metrics_options room;
    const char *wrong;
    struct sp_buf buf = {0};
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || text == NULL || size == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    const snakepit_metrics_options none = {.size = sizeof none};
    options = options == NULL
                  ? &none
                  : sp_options_read(options, sizeof *options, &room, &wrong);
    if (options == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (sp_pit_is_connected(pit)) {
        return sp_ask_metrics(pit, options, text, size);
    }
    err = write_all(pit, options, &buf);
    if (err != SNAKEPIT_OK) {
        sp_buf_fini(&buf);
        return err;
    }
    *text = (char *)buf.data;
    *size = buf.size - 1;
    return SNAKEPIT_OK;
}

void snakepit_metrics_free(char *text)
{
    sp_free(text);
}

bool sp_pit_times(snakepit *pit,
                  const char *pool,
                  struct sp_histogram *line,
                  struct sp_histogram *run)
{
    SP_UNCANCELLED;
    struct sp_pool *found = sp_pit_pool(pit, pool);
    if (found == NULL) {
        return false;
    }
    sp_pool_times(found, line, run);
    return true;
}

snakepit_err sp_pit_tools(snakepit *pit,
                          const char *pool,
                          struct sp_tool_figures **rows,
                          uint32_t *count)
{
    SP_UNCANCELLED;
    struct sp_pool *found = sp_pit_pool(pit, pool);
    return found == NULL ? SNAKEPIT_UNKNOWN_POOL : collect_tools(found, rows, count);
}
