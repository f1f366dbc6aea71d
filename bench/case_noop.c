// SPDX-License-Identifier: MIT
// One caller, one call at a time, of a function that does nothing: as fast as it goes,
// and one a millisecond; and what that takes of both processors.
#include "bench.h"

#define WARM_UP       2000u
#define PACED_WARM_UP 20u
#define PACE          SP_NS_PER_MS

// A call of one side, with its argument written and its answer checked.
typedef void call_fn(void *side, uint32_t x);

static void call_product(void *side, uint32_t x)
{
    product_call(side, "noop", x);
}

static void call_limit(void *side, uint32_t x)
{
    limit_call(side, 0, LIMIT_NOOP, x);
}

// ---- Warm and paced -----------------------------------------------------------

// Inlined into both sides, so that neither pays for a pointer.
static inline __attribute__((always_inline)) void
closed_loop(struct bench *bench, call_fn *call, void *side, uint64_t pace)
{
    uint32_t x = BENCH_FIRST_X;
    struct bench_samples *samples = &bench->samples;
    for (uint32_t i = 0; i < (pace == 0 ? WARM_UP : PACED_WARM_UP); i++) {
        if (pace != 0) {
            bench_sleep(pace);
        }
        call(side, x++);
    }
    samples->count = 0;
    uint64_t now = sp_clock_now();
    uint64_t end = now + bench_duration(bench);
    while (now < end && samples->count < samples->room) {
        if (pace != 0) {
            bench_sleep(pace);
        }
        uint64_t start = sp_clock_now();
        call(side, x++);
        now = sp_clock_now();
        bench_samples_add(samples, now - start);
    }
}

void bench_warm(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    closed_loop(bench, call_product, &caller, 0);
    product_caller_fini(&caller);
    figures[0] = bench_samples_quantile(&bench->samples, 0.5);
    figures[1] = bench_samples_quantile(&bench->samples, 0.99);
}

void bench_warm_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit_caller caller = limit_caller(&bench->limits[0]);
    limit_set_waiting(&bench->limits[0], LIMIT_SPIN);
    closed_loop(bench, call_limit, &caller, 0);
    limit_set_waiting(&bench->limits[0], LIMIT_ADAPT);
    figures[0] = bench_samples_quantile(&bench->samples, 0.5);
    figures[1] = bench_samples_quantile(&bench->samples, 0.99);
}

const struct bench_case bench_case_warm = {
    .rows = {"noop_warm_p50", "noop_warm_p99"},
    .unit = "us",
    .executors = {1},
    .product = bench_warm,
    .limit = bench_warm_limit,
    .peer = "noop_warm",
};

static void paced_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    closed_loop(bench, call_product, &caller, PACE);
    product_caller_fini(&caller);
    figures[0] = bench_samples_quantile(&bench->samples, 0.5);
}

static void paced_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit_caller caller = limit_caller(&bench->limits[0]);
    closed_loop(bench, call_limit, &caller, PACE);
    figures[0] = bench_samples_quantile(&bench->samples, 0.5);
}

const struct bench_case bench_case_paced = {
    .rows = {"noop_paced_1ms_p50"},
    .unit = "us",
    .executors = {1},
    .product = paced_product,
    .limit = paced_limit,
    .peer = "noop_paced",
};

// ---- Processor time -----------------------------------------------------------

// Processor time of host and worker for a warm call, in microseconds.
static inline __attribute__((always_inline)) double
cpu_per_call(struct bench *bench, call_fn *call, void *side, pid_t worker)
{
    uint32_t x = BENCH_FIRST_X;
    for (uint32_t i = 0; i < WARM_UP; i++) {
        call(side, x++);
    }
    uint64_t end = sp_clock_now() + bench_duration(bench);
    uint64_t before = bench_cpu_here() + bench_cpu_of(worker);
    uint32_t first = x;
    while (sp_clock_now() < end) {
        call(side, x++);
    }
    uint64_t after = bench_cpu_here() + bench_cpu_of(worker);
    return (double)(after - before) / (x - first) / 1000;
}

static void cpu_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    figures[0] =
        cpu_per_call(bench, call_product, &caller, product_worker(&bench->product, 0));
    product_caller_fini(&caller);
}

static void cpu_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit *limit = &bench->limits[0];
    struct limit_caller caller = limit_caller(limit);
    limit_set_waiting(limit, LIMIT_SPIN);
    figures[0] = cpu_per_call(bench, call_limit, &caller, limit->worker);
    limit_set_waiting(limit, LIMIT_ADAPT);
}

const struct bench_case bench_case_cpu = {
    .rows = {"cpu_per_call"},
    .unit = "us",
    .executors = {1},
    .product = cpu_product,
    .limit = cpu_limit,
    .peer = "cpu_per_call",
};
