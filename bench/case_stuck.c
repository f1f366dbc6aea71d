// SPDX-License-Identifier: MIT
// What a tool costs that never ends, whatever cancels it: how late its caller is
// answered, and when the pool has its whole capacity again, with a worker that takes
// the place of the one that had to be killed.
#include "bench.h"

#define TIMEOUT_MS 200u
#define GRACE_MS   500u // the default of cancel_grace_ms
#define LOOK       SP_NS_PER_MS

static double milliseconds(uint64_t from, uint64_t to)
{
    return (double)(to - from) / (double)SP_NS_PER_MS;
}

// When its answer came.
static uint64_t call_stuck(struct product_caller *caller, const char *way)
{
    snakepit_call_options options = caller->options;
    snakepit_answer *answer = NULL;
    options.timeout_ms = TIMEOUT_MS;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, "way");
    snakepit_writer_str(caller->writer, way);
    snakepit_err err =
        snakepit_call(caller->pit, "stuck", caller->writer, &options, &answer);
    uint64_t answered = sp_clock_now();
    if (err != SNAKEPIT_DEADLINE_EXCEEDED ||
        !snakepit_answer_fault(answer)->tool_runs) {
        product_fail("a stuck call was not given up", err, answer);
    }
    snakepit_answer_free(answer);
    return answered;
}

static bool is_whole(snakepit *pit)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    if (snakepit_pool_get_stats(pit, NULL, &stats) != SNAKEPIT_OK) {
        bench_fatal("the pool has no stats");
    }
    return stats.stopping == 0 && stats.workers_ready == stats.workers;
}

static void measure(struct bench *bench, const char *way, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    product_call(&caller, "noop", BENCH_FIRST_X);
    uint64_t begun = sp_clock_now();
    uint64_t answered = call_stuck(&caller, way);
    while (!is_whole(bench->product.pit)) {
        bench_sleep(LOOK);
    }
    product_call(&caller, "noop", BENCH_FIRST_X);
    figures[0] = milliseconds(begun, answered) - TIMEOUT_MS;
    figures[1] = milliseconds(answered, sp_clock_now()) - GRACE_MS;
    product_caller_fini(&caller);
}

static void stuck_in_c(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, "c", figures);
}

static void stuck_in_a_loop(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, "loop", figures);
}

static void stuck_on_a_lock(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, "lock", figures);
}

#define STUCK_CASE(way, function)                                     \
    const struct bench_case bench_case_stuck_##way = {                \
        .rows = {"stuck_" #way "_answer", "stuck_" #way "_capacity"}, \
        .unit = "ms",                                                 \
        .workers_die = true,                                          \
        .executors = {1},                                             \
        .product = function,                                          \
    }

// How long after its time is up, and after the grace that follows.
STUCK_CASE(c, stuck_in_c);
STUCK_CASE(loop, stuck_in_a_loop);
STUCK_CASE(lock, stuck_on_a_lock);
