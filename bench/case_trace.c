// SPDX-License-Identifier: MIT
// What it costs a warm call to belong to a trace that nobody records: windows of calls
// without a traceparent and with one, in turn, so that both see the same machine.
#include "bench.h"

#include <stdlib.h>

#define WARM_UP 2000u
#define WINDOW  500u // calls
#define PAIRS   20000u

// Nanoseconds of a call, the mean of one window.
static double
window(struct product_caller *caller, const char *traceparent, uint32_t *x)
{
    caller->options.traceparent = traceparent;
    const uint64_t start = sp_clock_now();
    for (uint32_t i = 0; i < WINDOW; i++) {
        product_call(caller, "noop", (*x)++);
    }
    return (double)(sp_clock_now() - start) / WINDOW;
}

static int compare(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;
    return (*one > *other) - (*one < *other);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void trace_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    static const char passed_on[] =
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    static double more[PAIRS];
    static double without[PAIRS];
    struct product_caller caller;
    uint32_t x = BENCH_FIRST_X;
    size_t pairs = 0;
    product_caller_init(&caller, &bench->product, 0);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        product_call(&caller, "noop", x++);
    }
    const uint64_t end = sp_clock_now() + bench_duration(bench);
    while (pairs < PAIRS && sp_clock_now() < end) {
        // Each is the first of every other pair.
        const double early = window(&caller, pairs % 2 == 0 ? NULL : passed_on, &x);
        const double late = window(&caller, pairs % 2 == 0 ? passed_on : NULL, &x);
        without[pairs] = pairs % 2 == 0 ? early : late;
        more[pairs] = pairs % 2 == 0 ? late - early : early - late;
        pairs++;
    }
    figures[0] = median(more, pairs);
    figures[1] = median(without, pairs);
    product_caller_fini(&caller);
}

const struct bench_case bench_case_trace = {
    .rows = {"traceparent_cost", "traceparent_without"},
    .unit = "ns",
    .executors = {1},
    .product = trace_product,
};
