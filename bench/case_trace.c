// SPDX-License-Identifier: MIT
// What it costs a warm call to belong to a trace that nobody records, which comes as
// bytes or as a text: windows of calls without it and with it, in turn, so that both
// see the same machine.
#include "bench.h"

#include <stdlib.h>

#define WARM_UP 2000u
#define WINDOW  500u // calls
#define PAIRS   20000u

static const char text[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
static const snakepit_trace_context bytes = {.trace_id = {1}, .span_id = {1}};

enum given { NOTHING, BYTES, TEXT };

// Nanoseconds of a call, the mean of one window.
static double window(struct product_caller *caller, enum given given, uint32_t *x)
{
    caller->options.traceparent = given == TEXT ? text : NULL;
    caller->options.trace = given == BYTES ? &bytes : NULL;
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

struct pairs {
    double more[PAIRS];
    size_t count;
};

// Each is the first of every other pair.
static void measure_pair(struct pairs *pairs,
                         struct product_caller *caller,
                         enum given given,
                         uint32_t *x)
{
    const bool with_first = pairs->count % 2 != 0;
    const double early = window(caller, with_first ? given : NOTHING, x);
    const double late = window(caller, with_first ? NOTHING : given, x);
    pairs->more[pairs->count++] = with_first ? early - late : late - early;
}

static void trace_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    static struct pairs as_bytes;
    static struct pairs as_text;
    struct product_caller caller;
    uint32_t x = BENCH_FIRST_X;
    product_caller_init(&caller, &bench->product, 0);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        product_call(&caller, "noop", x++);
    }
    as_bytes.count = 0;
    as_text.count = 0;
    const uint64_t end = sp_clock_now() + bench_duration(bench);
    while (as_text.count < PAIRS && sp_clock_now() < end) {
        measure_pair(&as_bytes, &caller, BYTES, &x);
        measure_pair(&as_text, &caller, TEXT, &x);
    }
    figures[0] = median(as_bytes.more, as_bytes.count);
    figures[1] = median(as_text.more, as_text.count);
    product_caller_fini(&caller);
}

const struct bench_case bench_case_trace = {
    .rows = {"trace_cost", "traceparent_cost"},
    .unit = "ns",
    .executors = {1},
    .product = trace_product,
};
