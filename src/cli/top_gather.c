// SPDX-License-Identifier: MIT
#include "cli/top_gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/value.h"
#include "payload/pairs.h"
#include "payload/writer.h"

#define WAITING_PAIRS   8u
#define CALL_PAIRS      9u
#define TOOL_PAIRS      9u
#define IDLE_TOOL_PAIRS 5u // of one whose calls have not ended

// Owner: one thread.
struct gathering {
    const struct sp_top_model *model;
    uint64_t now_ms;
    sp_top_row_fn *take;
    void *user;
    snakepit_writer *writer; // of a row that is made here
};

// ---- Writing rows -----------------------------------------------------------------

static void put_span(snakepit_writer *writer, const char *key, snakepit_span text)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_strn(writer, (const char *)text.data, text.size);
}

static void put_number(snakepit_writer *writer, const char *key, uint64_t number)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_uint(writer, number);
}

static snakepit_err take_written(struct gathering *gathering)
{
    snakepit_reader map;
    const snakepit_writer *writer = gathering->writer;
    snakepit_err err = snakepit_writer_error(writer);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_reader_init(&map, writer->buf.data, writer->buf.size);
    return gathering->take(gathering->user, &map, gathering->now_ms);
}

static snakepit_err take_row(struct gathering *gathering, const struct sp_top_row *row)
{
    const snakepit_reader map = sp_top_row_reader(row);
    return gathering->take(gathering->user, &map, row->seen_ms);
}

static snakepit_err take_list(struct gathering *gathering,
                              const struct sp_top_list *list)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < list->count && err == SNAKEPIT_OK; i++) {
        err = take_row(gathering, &list->rows[i]);
    }
    return err;
}

// ---- Executors --------------------------------------------------------------------

typedef snakepit_err
executor_fn(void *user, const snakepit_reader *worker, const snakepit_reader *executor);

// Each that runs a call.
static snakepit_err
each_executor(const snakepit_reader *worker, executor_fn *take, void *user)
{
    snakepit_reader at;
    snakepit_err err = SNAKEPIT_OK;
    const uint32_t count = sp_cli_value_list(worker, "executors", &at);
    for (uint32_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const snakepit_reader executor = at;
        if (sp_cli_value_number(&executor, "call") != 0) {
            err = take(user, worker, &executor);
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    return err;
}

static snakepit_err
each_running(const struct sp_top_model *model, executor_fn *take, void *user)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < model->workers.count && err == SNAKEPIT_OK; i++) {
        const snakepit_reader worker = sp_top_row_reader(&model->workers.rows[i]);
        err = each_executor(&worker, take, user);
    }
    return err;
}

struct busiest {
    snakepit_reader executor;
    uint64_t since_ms;
    uint32_t count;
};

static snakepit_err look_for_busiest(void *user,
                                     const snakepit_reader *worker,
                                     const snakepit_reader *executor)
{
    struct busiest *busiest = user;
    const uint64_t since_ms = sp_cli_value_number(executor, "since_ms");
    (void)worker;
    if (busiest->count++ == 0 || since_ms < busiest->since_ms) {
        busiest->executor = *executor;
        busiest->since_ms = since_ms;
    }
    return SNAKEPIT_OK;
}

bool sp_top_busiest(const snakepit_reader *worker,
                    snakepit_reader *executor,
                    uint32_t *others)
{
    struct busiest busiest = {.count = 0};
    (void)each_executor(worker, look_for_busiest, &busiest);
    if (busiest.count == 0) {
        return false;
    }
    *executor = busiest.executor;
    *others = busiest.count - 1;
    return true;
}

// ---- Calls ------------------------------------------------------------------------

static snakepit_err
take_running(void *user, const snakepit_reader *worker, const snakepit_reader *executor)
{
    struct gathering *gathering = user;
    snakepit_writer *writer = gathering->writer;
    const uint64_t since_ms = sp_cli_value_number(executor, "since_ms");
    const uint64_t now_ms = gathering->now_ms;
    const snakepit_span state = sp_cli_value_text(executor, "state");
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, CALL_PAIRS);
    put_number(writer, "call", sp_cli_value_number(executor, "call"));
    put_span(writer, "pool", sp_cli_value_text(worker, "pool"));
    put_span(writer, "tool", sp_cli_value_text(executor, "tool"));
    put_number(writer, "worker", sp_cli_value_number(worker, "id"));
    put_number(writer, "executor", sp_cli_value_number(executor, "executor"));
    put_number(writer, "started_ms", since_ms);
    put_number(writer, "ran_us", now_ms > since_ms ? (now_ms - since_ms) * 1000 : 0);
    put_span(writer, "outcome", state);
    sp_pair_bool(writer, "runs", true);
    return take_written(gathering);
}

static snakepit_err take_waiting(struct gathering *gathering,
                                 const struct sp_top_row *row)
{
    snakepit_writer *writer = gathering->writer;
    const snakepit_reader call = sp_top_row_reader(row);
    const uint64_t now_ms = gathering->now_ms;
    const uint64_t passed_ms = now_ms > row->seen_ms ? now_ms - row->seen_ms : 0;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, WAITING_PAIRS);
    put_number(writer, "call", row->id);
    put_span(writer, "pool", sp_cli_value_text(&call, "pool"));
    put_span(writer, "tool", sp_cli_value_text(&call, "tool"));
    put_span(writer, "session", sp_cli_value_text(&call, "session"));
    put_number(
        writer, "waited_us", sp_cli_value_number(&call, "since_us") + passed_ms * 1000);
    const uint64_t worker = sp_cli_value_number(&call, "worker");
    put_number(writer, "worker", worker);
    sp_pair_text(writer, "outcome", worker == 0 ? "in line" : "in worker");
    sp_pair_bool(writer, "runs", true);
    return take_written(gathering);
}

static snakepit_err gather_calls(struct gathering *gathering)
{
    const struct sp_top_list *ended = &gathering->model->ended;
    const struct sp_top_list *waiting = &gathering->model->waiting;
    snakepit_err err = each_running(gathering->model, take_running, gathering);
    for (size_t i = 0; i < waiting->count && err == SNAKEPIT_OK; i++) {
        err = take_waiting(gathering, &waiting->rows[i]);
    }
    for (size_t i = ended->count; i > 0 && err == SNAKEPIT_OK; i--) {
        err = take_row(gathering, &ended->rows[i - 1]);
    }
    return err;
}

// ---- Tools ------------------------------------------------------------------------

struct tool {
    snakepit_span pool;
    snakepit_span name;
    uint64_t running;
    uint64_t calls; // that have ended; as the daemon counts them, if it tells that
    uint64_t seen;  // of these
    uint64_t failed;
    bool told;           // by the daemon, so both are not counted here
    snakepit_span error; // the last one
};

// Owner: one thread.
struct tools {
    struct tool *tools; // SP_TOP_TOOLS_MAX
    size_t count;
    uint64_t *times; // SP_TOP_ENDED_MAX, of one tool at a time
};

static bool is_same(snakepit_span left, snakepit_span right)
{
    return left.size == right.size && memcmp(left.data, right.data, left.size) == 0;
}

// NULL: there are too many.
static struct tool *tool_of(struct tools *tools, snakepit_span pool, snakepit_span name)
{
    for (size_t i = 0; i < tools->count; i++) {
        struct tool *tool = &tools->tools[i];
        if (is_same(tool->name, name) && is_same(tool->pool, pool)) {
            return tool;
        }
    }
    if (tools->count == SP_TOP_TOOLS_MAX) {
        return NULL;
    }
    struct tool *tool = &tools->tools[tools->count++];
    *tool = (struct tool){.pool = pool, .name = name, .error = {.data = ""}};
    return tool;
}

static snakepit_err count_running(void *user,
                                  const snakepit_reader *worker,
                                  const snakepit_reader *executor)
{
    struct tool *tool = tool_of(
        user, sp_cli_value_text(worker, "pool"), sp_cli_value_text(executor, "tool"));
    if (tool != NULL) {
        tool->running++;
    }
    return SNAKEPIT_OK;
}

static void count_ended(struct tools *tools, const snakepit_reader *call)
{
    struct tool *tool = tool_of(
        tools, sp_cli_value_text(call, "pool"), sp_cli_value_text(call, "tool"));
    if (tool == NULL) {
        return;
    }
    tool->seen++;
    tool->calls += !tool->told;
    if (!sp_cli_span_is(sp_cli_value_text(call, "outcome"), "OK")) {
        tool->failed += !tool->told;
        tool->error = sp_cli_value_text(call, "error");
    }
}

static void take_counts(struct tools *tools, const snakepit_reader *row)
{
    struct tool *tool =
        tool_of(tools, sp_cli_value_text(row, "pool"), sp_cli_value_text(row, "tool"));
    if (tool != NULL) {
        tool->told = true;
        tool->calls = sp_cli_value_number(row, "calls");
        tool->failed = sp_cli_value_number(row, "failures");
    }
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

// What is kept of these calls of a tool, in order; gives their number.
static size_t sort_times(const struct gathering *gathering,
                         const struct tools *tools,
                         const struct tool *tool,
                         const char *key)
{
    size_t count = 0;
    const struct sp_top_list *ended = &gathering->model->ended;
    for (size_t i = 0; i < ended->count && count < SP_TOP_ENDED_MAX; i++) {
        const snakepit_reader call = sp_top_row_reader(&ended->rows[i]);
        if (is_same(sp_cli_value_text(&call, "tool"), tool->name) &&
            is_same(sp_cli_value_text(&call, "pool"), tool->pool)) {
            tools->times[count++] = sp_cli_value_number(&call, key);
        }
    }
    qsort(tools->times, count, sizeof *tools->times, compare);
    return count;
}

static snakepit_err take_tool(struct gathering *gathering,
                              const struct tools *tools,
                              const struct tool *tool)
{
    snakepit_writer *writer = gathering->writer;
    const bool any = tool->seen > 0;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, any ? TOOL_PAIRS : IDLE_TOOL_PAIRS);
    put_span(writer, "pool", tool->pool);
    put_span(writer, "tool", tool->name);
    put_number(writer, "running", tool->running);
    put_number(writer, "calls", tool->calls);
    put_number(writer, "failed", tool->failed);
    if (any) {
        size_t count = sort_times(gathering, tools, tool, "ran_us");
        put_number(writer, "run_p50", tools->times[(count - 1) / 2]);
        put_number(writer, "run_p99", tools->times[(count - 1) * 99 / 100]);
        count = sort_times(gathering, tools, tool, "waited_us");
        put_number(writer, "line_p99", tools->times[(count - 1) * 99 / 100]);
        put_span(writer, "error", tool->error);
    }
    return take_written(gathering);
}

static snakepit_err gather_tools(struct gathering *gathering)
{
    const struct sp_top_list *ended = &gathering->model->ended;
    struct tools tools = {.tools =
                              sp_alloc_array(SP_TOP_TOOLS_MAX, sizeof(struct tool)),
                          .times = sp_alloc_array(SP_TOP_ENDED_MAX, sizeof(uint64_t))};
    snakepit_err err =
        tools.tools == NULL || tools.times == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
    if (err == SNAKEPIT_OK) {
        (void)each_running(gathering->model, count_running, &tools);
        for (size_t i = 0; i < gathering->model->tools.count; i++) {
            const snakepit_reader row =
                sp_top_row_reader(&gathering->model->tools.rows[i]);
            take_counts(&tools, &row);
        }
        for (size_t i = 0; i < ended->count; i++) {
            const snakepit_reader call = sp_top_row_reader(&ended->rows[i]);
            count_ended(&tools, &call);
        }
    }
    for (size_t i = 0; i < tools.count && err == SNAKEPIT_OK; i++) {
        err = take_tool(gathering, &tools, &tools.tools[i]);
    }
    sp_free(tools.tools);
    sp_free(tools.times);
    return err;
}

// ---- Gathering --------------------------------------------------------------------

snakepit_err sp_top_gather(const struct sp_top_model *model,
                           enum sp_top_view view,
                           uint64_t now_ms,
                           sp_top_row_fn *take,
                           void *user)
{
    struct gathering gathering = {
        .model = model, .now_ms = now_ms, .take = take, .user = user};
    if (view == SP_TOP_POOLS) {
        return take_list(&gathering, &model->pools);
    }
    if (view == SP_TOP_WORKERS) {
        return take_list(&gathering, &model->workers);
    }
    gathering.writer = snakepit_writer_new();
    snakepit_err err = gathering.writer == NULL ? SNAKEPIT_NO_MEMORY
                       : view == SP_TOP_CALLS   ? gather_calls(&gathering)
                                                : gather_tools(&gathering);
    snakepit_writer_free(gathering.writer);
    return err;
}
