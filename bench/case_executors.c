// SPDX-License-Identifier: MIT
// What the other executors of a worker cost its callers: the same call of a function
// that does nothing to a worker with one executor and to one with sixteen, in turn.
#include "bench.h"

#define WARM_UP 2000u
#define TURNS   4u // of each worker in one measurement
#define ONE     0u // the pools
#define SIXTEEN 1u
#define CALLERS 4u

// ---- One caller ---------------------------------------------------------------

// Median in us and calls a second of one caller.
struct pace {
    double median;
    double calls;
};

static struct pace pace_of(struct bench *bench, unsigned pool)
{
    struct product_caller caller;
    uint32_t x = BENCH_FIRST_X;
    product_caller_init(&caller, &bench->product, pool);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        product_call(&caller, "noop", x++);
    }
    bench->samples.count = 0;
    uint64_t begun = sp_clock_now();
    uint64_t now = begun;
    uint64_t end = begun + bench_duration(bench) / 2 / TURNS;
    while (now < end && bench->samples.count < bench->samples.room) {
        uint64_t start = now;
        product_call(&caller, "noop", x++);
        now = sp_clock_now();
        bench_samples_add(&bench->samples, now - start);
    }
    product_caller_fini(&caller);
    return (struct pace){bench_samples_quantile(&bench->samples, 0.5),
                         (double)bench->samples.count / (double)(now - begun)};
}

// Both figures are ratios within the measurement: times of sixteen executors to that of
// one, calls a second of one to those of sixteen.
static void one_caller(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct pace one = {0};
    struct pace sixteen = {0};
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct pace few = pace_of(bench, ONE);
        struct pace many = pace_of(bench, SIXTEEN);
        one.median += few.median;
        one.calls += few.calls;
        sixteen.median += many.median;
        sixteen.calls += many.calls;
    }
    figures[0] = sixteen.median / one.median;
    figures[1] = one.calls / sixteen.calls;
}

const struct bench_case bench_case_executors = {
    .rows = {"noop_1x16_p50", "noop_1x16_calls"},
    .unit = "x of 1x1",
    .free_threaded_only = true,
    .executors = {1, 16},
    .product = one_caller,
};

// ---- Four callers -------------------------------------------------------------

static void four_callers(struct bench *bench, double figures[BENCH_FIGURES])
{
    figures[0] = product_crowd(&bench->product, "noop", CALLERS, bench_duration(bench));
}

const struct bench_case bench_case_callers4 = {
    .rows = {"callers4_1x16"},
    .unit = "calls/s",
    .free_threaded_only = true,
    .executors = {16},
    .product = four_callers,
};
