// SPDX-License-Identifier: MIT
// What it costs to take one submitted call back, with ten and with a hundred thousand
// of them open, in random order: neither cancels nor deadlines may walk through the
// others.
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FEW       10u
#define MANY      100000u
#define TURNS     100u    // with few, so that there is something to measure
#define REST_MS   600000u // longer than the case takes
#define LEAST_MS  100000u // before the first deadline
#define SPREAD_MS 400000u // between the first and the last
#define SEED      1u

static _Atomic uint32_t ended;

static void count_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    snakepit_answer_free(answer);
    atomic_fetch_add_explicit(&ended, 1, memory_order_relaxed);
}

static snakepit_call_id submit(struct product_caller *caller, uint32_t timeout_ms)
{
    snakepit_call_id id;
    snakepit_message why;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, "seconds");
    snakepit_writer_int(caller->writer, REST_MS / 1000);
    caller->options.timeout_ms = timeout_ms;
    caller->options.why = &why;
    snakepit_err err = snakepit_submit(
        caller->pit, "rest", caller->writer, &caller->options, count_end, NULL, &id);
    if (err != SNAKEPIT_OK) {
        bench_fatal("a call was not taken: %s: %s", snakepit_err_name(err), why.text);
    }
    return id;
}

static void shuffle(snakepit_call_id *ids, uint32_t count, unsigned *seed)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = (uint32_t)rand_r(seed) % (i + 1);
        snakepit_call_id id = ids[i];
        ids[i] = ids[other];
        ids[other] = id;
    }
}

static void cancel(struct product_caller *caller, snakepit_call_id id)
{
    if (snakepit_cancel(caller->pit, id) != SNAKEPIT_OK) {
        bench_fatal("an open call could not be cancelled");
    }
}

// Microseconds that one of `count` cancels takes.
static double
cost_of_cancels(struct product_caller *caller, snakepit_call_id *ids, uint32_t count)
{
    static unsigned seed = SEED;
    uint32_t before = atomic_load(&ended);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = submit(caller, LEAST_MS + (uint32_t)rand_r(&seed) % SPREAD_MS);
    }
    shuffle(ids, count, &seed);
    uint64_t start = sp_clock_now();
    for (uint32_t i = 0; i < count; i++) {
        cancel(caller, ids[i]);
    }
    double each = (double)(sp_clock_now() - start) / (double)SP_NS_PER_US / count;
    while (atomic_load(&ended) - before < count) {
        bench_sleep(SP_NS_PER_MS);
    }
    return each;
}

// One call rests in the worker meanwhile, so that all others stay in the line.
static void cancel_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    snakepit_call_id *ids = calloc(MANY, sizeof *ids);
    if (ids == NULL) {
        bench_fatal("no memory for the ids of calls");
    }
    snakepit_call_id resting = submit(&caller, REST_MS);
    figures[0] = cost_of_cancels(&caller, ids, MANY);
    figures[1] = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        figures[1] += cost_of_cancels(&caller, ids, FEW) / TURNS;
    }
    cancel(&caller, resting);
    free(ids);
    product_caller_fini(&caller);
}

const struct bench_case bench_case_cancel = {
    .rows = {"cancel_100000_open", "cancel_10_open"},
    .unit = "us",
    .workers_die = true, // the one that rests
    .line = MANY + 1,
    .executors = {1},
    .product = cancel_product,
};
