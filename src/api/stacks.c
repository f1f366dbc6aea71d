// SPDX-License-Identifier: MIT
// Where the threads of workers are in their Python code. To read that takes a
// millisecond a worker, and more of one that has much to tell, so it is done beside the
// loop.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/items.h"
#include "api/pools.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/memory.h"
#include "payload/pairs.h"
#include "payload/writer.h"
#include "pit/refuse.h"
#include "server/server.h"

#define STACK_PAIRS  11u
#define WORKER_PAIRS 5u
#define BYTES_MOST   ((size_t)4 << 20) // of all frames of an answer
#define TIME_MS      2000u             // for all workers of a pool

// A request that is being answered. Owner: the thread that reads, then the loop.
struct reading {
    struct sp_offload_work work;
    struct sp_exchange *exchange; // NULL: the client has gone; owner: the loop
    snakepit *pit;
    const char *pool; // lives as long as the pit
    uint64_t worker;  // 0: all of them
    size_t bytes;     // of stacks so far
    snakepit_writer *value;
    snakepit_err err;
    snakepit_message why;
};

// ---- One worker -----------------------------------------------------------------

struct stacks {
    struct reading *reading;
    struct sp_items items;
};

static void
write_frames(snakepit_writer *writer, const snakepit_stack *stack, bool fits)
{
    const uint32_t count = fits ? (uint32_t)stack->count : 0;
    snakepit_writer_str(writer, "frames");
    snakepit_writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const snakepit_frame *frame = &stack->frames[i];
        snakepit_writer_map(writer, 3);
        sp_pair_text(writer, "function", frame->function);
        sp_pair_text(writer, "file", frame->file);
        sp_pair_number(writer, "line", frame->line);
    }
}

static void write_stack(snakepit_writer *writer, const snakepit_stack *stack, bool fits)
{
    snakepit_writer_map(writer, STACK_PAIRS);
    snakepit_writer_str(writer, "executor");
    if (stack->executor < 0) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_int(writer, stack->executor);
    }
    sp_pair_number(writer, "thread", (uint64_t)stack->thread);
    sp_pair_text(writer, "state", stack->state);
    sp_pair_number(writer, "call", stack->call);
    sp_pair_text(writer, "tool", stack->tool);
    sp_pair_number(writer, "running_us", stack->running_us);
    sp_pair_bool(writer, "stuck", stack->stuck);
    sp_pair_bool(writer, "moved", stack->moved);
    sp_pair_bool(writer, "cut", stack->cut || !fits);
    sp_pair_bool(writer, "lost", stack->lost);
    write_frames(writer, stack, fits);
}

static void take_stack(void *user, const snakepit_stack *stack)
{
    struct stacks *stacks = user;
    snakepit_writer *writer = sp_items_begin(&stacks->items);
    if (writer != NULL) {
        write_stack(writer, stack, stacks->reading->bytes < BYTES_MOST);
        stacks->reading->bytes += sp_items_add(&stacks->items);
    }
}

// What is known of the worker, and its stacks or `error`, why there are none.
static void write_worker(const struct reading *reading,
                         const snakepit_worker_info *worker,
                         const struct stacks *stacks,
                         const char *error)
{
    snakepit_writer *writer = reading->value;
    snakepit_writer_map(writer, WORKER_PAIRS);
    sp_pair_text(writer, "pool", reading->pool);
    sp_pair_number(writer, "worker", worker->id);
    sp_pair_number(writer, "pid", (uint64_t)worker->pid);
    sp_pair_text(writer, "error", error);
    snakepit_writer_str(writer, "stacks");
    sp_items_write(&stacks->items, writer);
}

// Why there are no stacks; NULL: there are.
static const char *error_of(const struct reading *reading, snakepit_err err)
{
    if (err == SNAKEPIT_OK) {
        return NULL;
    }
    return reading->why.text[0] != '\0' ? reading->why.text : snakepit_err_text(err);
}

// With `alone` an error is the answer, else the worker's.
static snakepit_err
read_worker(struct reading *reading, const snakepit_worker_info *worker, bool alone)
{
    struct stacks stacks = {.reading = reading};
    reading->why.text[0] = '\0';
    snakepit_err err = snakepit_worker_stacks(
        reading->pit, reading->pool, worker->id, take_stack, &stacks, &reading->why);
    if (err == SNAKEPIT_NOT_FOUND) { // it has just ended
        sp_api_explain_no_worker(worker->id, &reading->why);
    }
    if (stacks.items.err != SNAKEPIT_OK) {
        err = stacks.items.err;
    } else if (err == SNAKEPIT_OK || !alone) {
        write_worker(reading, worker, &stacks, error_of(reading, err));
        err = SNAKEPIT_OK;
    }
    sp_items_fini(&stacks.items);
    return err;
}

// ---- All of a pool --------------------------------------------------------------

static snakepit_err
read_rows(struct reading *reading, const snakepit_worker_info *rows, size_t count)
{
    static const struct stacks none = {.reading = NULL};
    const uint64_t until = sp_clock_now() + TIME_MS * SP_NS_PER_MS;
    snakepit_err err = SNAKEPIT_OK;
    snakepit_writer_map(reading->value, 1);
    snakepit_writer_str(reading->value, "workers");
    snakepit_writer_array(reading->value, (uint32_t)count);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        if (sp_clock_now() < until) {
            err = read_worker(reading, &rows[i], false);
        } else {
            write_worker(reading,
                         &rows[i],
                         &none,
                         "there was no time for it; ask for this worker alone");
        }
    }
    return err;
}

static snakepit_err read_worker_alone(struct reading *reading,
                                      const snakepit_worker_info *rows,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].id == reading->worker) {
            return read_worker(reading, &rows[i], true);
        }
    }
    sp_api_explain_no_worker(reading->worker, &reading->why);
    return SNAKEPIT_NOT_FOUND;
}

static snakepit_err read_stacks(struct reading *reading)
{
    size_t count = 0;
    snakepit_worker_info *rows = NULL;
    snakepit_err err = sp_api_workers(reading->pit, reading->pool, &rows, &count);
    if (err == SNAKEPIT_OK) {
        err = reading->worker == 0 ? read_rows(reading, rows, count)
                                   : read_worker_alone(reading, rows, count);
    }
    sp_free(rows);
    return err;
}

// ---- Beside the loop ------------------------------------------------------------

static struct reading *of_work(struct sp_offload_work *work)
{
    return SP_ENTRY(work, struct reading, work);
}

static void run(struct sp_offload_work *work)
{
    struct reading *reading = of_work(work);
    reading->err = reading->value == NULL ? SNAKEPIT_NO_MEMORY : read_stacks(reading);
}

static void done(struct sp_offload_work *work)
{
    struct reading *reading = of_work(work);
    struct sp_exchange *exchange = reading->exchange;
    if (exchange != NULL) {
        exchange->listener = NULL;
        if (reading->err == SNAKEPIT_OK) {
            sp_api_reply_value(exchange, reading->value);
        } else {
            sp_api_fail(exchange, reading->err, reading->why.text);
        }
    }
    snakepit_writer_free(reading->value);
    sp_free(reading);
}

static void on_gone(void *user)
{
    struct reading *reading = user;
    reading->exchange = NULL;
    sp_offload_give_up(&reading->work);
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

static void begin(struct sp_exchange *exchange, const char *pool, uint64_t worker)
{
    struct reading *reading = sp_alloc(sizeof *reading);
    if (reading == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    reading->exchange = exchange;
    reading->pit = sp_api_of(exchange)->pit;
    reading->pool = pool;
    reading->worker = worker;
    reading->value = snakepit_writer_new();
    reading->err = SNAKEPIT_SHUTTING_DOWN; // if it never runs
    reading->work.run = run;
    reading->work.done = done;
    exchange->user = reading;
    exchange->listener = &listener;
    sp_offload_do(exchange->loop, &reading->work);
}

// ---- Requests -------------------------------------------------------------------

void sp_api_pool_stacks(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    const char *name = sp_grant_pool(pit, params->of[0]);
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_message why = {{0}};
    if (snakepit_pool_get_stats(pit, name, &stats) == SNAKEPIT_OK) {
        begin(exchange, stats.name, 0);
    } else {
        snakepit_err err = sp_refuse_pool(pit, name, &why);
        sp_api_fail(exchange, err, why.text);
    }
}

static bool has_worker(snakepit *pit, const char *pool, uint64_t worker)
{
    size_t count = 0;
    snakepit_worker_info *rows = NULL;
    bool found = false;
    if (sp_api_workers(pit, pool, &rows, &count) == SNAKEPIT_OK) {
        for (size_t i = 0; i < count && !found; i++) {
            found = rows[i].id == worker;
        }
    }
    sp_free(rows);
    return found;
}

// The pool of a worker that the client may observe; NULL: there is none.
static const char *pool_of(const struct sp_exchange *exchange, uint64_t worker)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    const size_t count = snakepit_pool_count(pit);
    for (size_t i = 0; i < count; i++) {
        const char *pool = snakepit_pool_name(pit, i);
        if (pool != NULL && sp_api_may(exchange, SP_ACCESS_OBSERVE, pool) &&
            has_worker(pit, pool, worker)) {
            return pool;
        }
    }
    return NULL;
}

const char *sp_api_worker_named(struct sp_exchange *exchange,
                                const struct sp_params *params,
                                uint64_t *worker)
{
    snakepit_message why = {{0}};
    if (!sp_api_number(sp_slice_of_text(params->of[0]), 1, UINT64_MAX, worker)) {
        sp_api_fail(exchange, SNAKEPIT_INVALID_ARGUMENT, SP_API_NO_WORKER_ID);
        return NULL;
    }
    const char *pool = pool_of(exchange, *worker);
    if (pool == NULL) {
        sp_api_explain_no_worker(*worker, &why);
        sp_api_fail(exchange, SNAKEPIT_NOT_FOUND, why.text);
    }
    return pool;
}

void sp_api_worker_stacks(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint64_t worker = 0;
    const char *pool = sp_api_worker_named(exchange, params, &worker);
    if (pool != NULL) {
        begin(exchange, pool, worker);
    }
}
