// SPDX-License-Identifier: MIT
// What callers notice of workers that make room for successors: a call every
// millisecond, while fifty workers are replaced one after another, as fast as the pool
// does that by itself, against the same calls while nobody is.
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define WORKERS  4
#define RECYCLES 50u
#define PACE     SP_NS_PER_MS
#define LOOK     (5 * SP_NS_PER_MS)
#define WARM_UP  2000u
#define QUIET    1500u // calls of a measurement in which nobody is replaced

struct renewal {
    snakepit *pit;
    _Atomic bool done;
    pthread_t thread;
};

static snakepit_pool_stats stats_of(snakepit *pit)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    if (snakepit_pool_get_stats(pit, NULL, &stats) != SNAKEPIT_OK) {
        bench_fatal("the pool has no stats");
    }
    return stats;
}

static void *renew(void *user)
{
    struct renewal *renewal = user;
    snakepit_message why = {{0}};
    for (uint64_t asked = 0; asked < RECYCLES; asked += WORKERS) {
        while (stats_of(renewal->pit).worker_recycles < asked) {
            bench_sleep(LOOK);
        }
        if (snakepit_pool_recycle(renewal->pit, "default", &why) != SNAKEPIT_OK) {
            bench_fatal("the workers are not replaced: %s", why.text);
        }
    }
    while (stats_of(renewal->pit).worker_recycles < RECYCLES) {
        bench_sleep(LOOK);
    }
    atomic_store(&renewal->done, true);
    return NULL;
}

// Makes the call that is due next. One that the call before has held up has waited
// since it was due.
static void call_once(struct bench_samples *samples,
                      struct product_caller *caller,
                      uint64_t *due,
                      uint32_t *x)
{
    uint64_t start = sp_clock_now();
    *due += PACE;
    if (start < *due) {
        bench_sleep(*due - start);
        start = sp_clock_now();
    } else {
        start = *due;
    }
    product_call(caller, "noop", (*x)++);
    bench_samples_add(samples, sp_clock_now() - start);
}

static void call_during(struct bench *bench, struct product_caller *caller, uint32_t *x)
{
    struct renewal renewal = {.pit = bench->product.pit};
    uint64_t due = sp_clock_now();
    if (pthread_create(&renewal.thread, NULL, renew, &renewal) != 0) {
        bench_fatal("no thread to replace workers from");
    }
    while (!atomic_load(&renewal.done)) {
        call_once(&bench->samples, caller, &due, x);
    }
    pthread_join(renewal.thread, NULL);
    snakepit_pool_stats stats = stats_of(bench->product.pit);
    if (stats.failures != 0 || stats.worker_deaths != 0) {
        bench_fatal("%llu calls failed, %llu workers died",
                    (unsigned long long)stats.failures,
                    (unsigned long long)stats.worker_deaths);
    }
}

static void measure(struct bench *bench, bool recycles, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    uint32_t x = BENCH_FIRST_X;
    bench_open_product(bench, &bench_case_recycle);
    product_caller_init(&caller, &bench->product, 0);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        product_call(&caller, "noop", x++);
    }
    bench->samples.count = 0;
    uint64_t due = sp_clock_now();
    if (recycles) {
        call_during(bench, &caller, &x);
    } else {
        for (uint32_t i = 0; i < QUIET; i++) {
            call_once(&bench->samples, &caller, &due, &x);
        }
    }
    product_caller_fini(&caller);
    product_close(&bench->product);
    figures[0] = bench_samples_quantile(&bench->samples, 0.99);
}

static void recycle_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, true, figures);
}

static void recycle_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, false, figures);
}

const struct bench_case bench_case_recycle = {
    .rows = {"recycle_pause_p99"},
    .unit = "us",
    .executors = {1},
    .workers = WORKERS,
    .processes = true,
    .opens_itself = true,
    .product = recycle_product,
    .limit = recycle_limit,
};
