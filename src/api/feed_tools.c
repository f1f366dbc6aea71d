// SPDX-License-Identifier: MIT
// What became of the calls of each tool. The rows of a pool's tools only get more, so
// each has its place here as well.
#include "api/feed.h"
#include "base/clock.h"
#include "base/memory.h"
#include "payload/pairs.h"
#include "pit/times.h"

#define TOOL_PAIRS 6u

void sp_feed_forget_tools(struct sp_feed_pool *pool)
{
    sp_feed_free_rows(pool->tools, pool->tool_count);
    pool->tools = NULL;
    pool->tool_count = 0;
}

static snakepit_err make_rows(struct sp_feed_pool *pool, size_t count)
{
    if (count < pool->tool_count) { // another pool of its name
        sp_feed_forget_tools(pool);
    }
    struct sp_feed_row *rows = sp_realloc(pool->tools, count * sizeof *rows);
    if (rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = pool->tool_count; i < count; i++) {
        rows[i] = (struct sp_feed_row){.id = 0};
    }
    pool->tools = rows;
    pool->tool_count = count;
    return SNAKEPIT_OK;
}

static uint64_t count_ended(const struct sp_tool_figures *tool)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SP_ERRORS; i++) {
        count += tool->ended[i];
    }
    return count;
}

static void write_tool(snakepit_writer *writer,
                       const char *pool,
                       const struct sp_tool_figures *tool)
{
    const uint64_t calls = count_ended(tool);
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, TOOL_PAIRS);
    sp_pair_text(writer, "pool", pool);
    sp_pair_text(writer, "tool", tool->name);
    sp_pair_number(writer, "calls", calls);
    sp_pair_number(writer, "failures", calls - tool->ended[SNAKEPIT_OK]);
    sp_pair_number(writer, "ran", tool->ran);
    sp_pair_number(writer, "ran_us", tool->ran_ns / SP_NS_PER_US);
}

static snakepit_err set_rows(struct sp_feed *feed,
                             struct sp_feed_pool *pool,
                             const struct sp_tool_figures *tools)
{
    snakepit_err err = SNAKEPIT_OK;
    snakepit_writer *writer = snakepit_writer_new();
    for (size_t i = 0; i < pool->tool_count && err == SNAKEPIT_OK; i++) {
        if (count_ended(&tools[i]) > 0) {
            const size_t place = i + 1 == pool->tool_count ? 0 : i + 1;
            write_tool(writer, pool->name, &tools[i]);
            err = sp_feed_set_row(feed, &pool->tools[place], writer);
        }
    }
    snakepit_writer_free(writer);
    return err;
}

snakepit_err sp_feed_look_at_tools(struct sp_feed *feed, struct sp_feed_pool *pool)
{
    uint32_t count = 0;
    struct sp_tool_figures *tools = NULL;
    snakepit_err err = sp_pit_tools(feed->pit, pool->name, &tools, &count);
    if (err == SNAKEPIT_OK) {
        err = make_rows(pool, count);
    }
    if (err == SNAKEPIT_OK) {
        err = set_rows(feed, pool, tools);
    }
    sp_free(tools);
    return err;
}
