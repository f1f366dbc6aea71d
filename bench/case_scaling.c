// SPDX-License-Identifier: MIT
// What a second thread of one worker is worth: the same pure-Python function from one
// caller on one executor, and from two callers on two, on free-threaded Python.
#include "bench.h"

#include <pthread.h>

struct pair {
    struct bench *bench;
    unsigned pool; // and the limit's worker beside it
    uint64_t end;
};

struct half {
    const struct pair *pair;
    uint32_t index;
    uint64_t calls;
    pthread_t thread;
};

static void *product_half(void *user)
{
    struct half *half = user;
    struct product_caller caller;
    product_caller_init(&caller, &half->pair->bench->product, half->pair->pool);
    uint32_t x = BENCH_FIRST_X;
    while (sp_clock_now() < half->pair->end) {
        product_call(&caller, "work", x++);
    }
    product_caller_fini(&caller);
    half->calls = x - BENCH_FIRST_X;
    return NULL;
}

static void *limit_half(void *user)
{
    struct half *half = user;
    struct limit_caller caller =
        limit_caller_of_many(&half->pair->bench->limits[half->pair->pool]);
    uint32_t x = BENCH_FIRST_X;
    while (sp_clock_now() < half->pair->end) {
        limit_call(&caller, half->index, LIMIT_WORK, x++);
    }
    half->calls = x - BENCH_FIRST_X;
    return NULL;
}

// Calls per second of `callers` threads.
static double
throughput(struct bench *bench, unsigned pool, uint32_t callers, void *(*run)(void *))
{
    struct half halves[PRODUCT_POOLS];
    uint64_t start = sp_clock_now();
    struct pair pair = {
        .bench = bench, .pool = pool, .end = start + bench_duration(bench)};
    uint64_t calls = 0;
    for (uint32_t i = 0; i < callers; i++) {
        halves[i] = (struct half){.pair = &pair, .index = i};
        if (pthread_create(&halves[i].thread, NULL, run, &halves[i]) != 0) {
            bench_fatal("no thread for a caller");
        }
    }
    for (uint32_t i = 0; i < callers; i++) {
        pthread_join(halves[i].thread, NULL);
        calls += halves[i].calls;
    }
    return (double)calls / (double)(sp_clock_now() - start);
}

static void scaling_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    double one = throughput(bench, 0, 1, product_half);
    figures[0] = throughput(bench, 1, 2, product_half) / one;
}

static void scaling_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    double one = throughput(bench, 0, 1, limit_half);
    figures[0] = throughput(bench, 1, 2, limit_half) / one;
}

const struct bench_case bench_case_scaling = {
    .rows = {"threads2_python_scaling"},
    .unit = "x",
    .free_threaded_only = true,
    .executors = {1, 2},
    .product = scaling_product,
    .limit = scaling_limit,
};
