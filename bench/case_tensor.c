// SPDX-License-Identifier: MIT
// 64 MiB of float32: as an argument that the tool looks at, in microseconds on top of a
// no-op, and as a result that the tool makes and sets one element of, in milliseconds.
#include "bench.h"

#define ELEMENTS ((size_t)(LIMIT_TENSOR / sizeof(float)))
#define LAST     (ELEMENTS - 1)
#define FEWEST   5u
#define WARM_UP  200u
// On top of a no-op may come out as nothing; a ratio needs something.
#define LEAST_US 0.01

typedef void call_fn(void *side, uint32_t x);

// The median of calls during `seconds`, in microseconds.
static double median_us(struct bench *bench, call_fn *call, void *side)
{
    struct bench_samples *samples = &bench->samples;
    uint32_t x = 1; // a float holds it
    for (uint64_t end = sp_clock_now() + bench_duration(bench) / 5;
         x < WARM_UP && (x < FEWEST || sp_clock_now() < end);) {
        call(side, x++);
    }
    samples->count = 0;
    uint64_t end = sp_clock_now() + bench_duration(bench) / 2;
    while (samples->count < samples->room) {
        uint64_t start = sp_clock_now();
        if (start >= end && samples->count >= FEWEST) {
            break;
        }
        call(side, x++);
        bench_samples_add(samples, sp_clock_now() - start);
    }
    return bench_samples_quantile(samples, 0.5);
}

static double on_top(double view, double noop)
{
    return view - noop > LEAST_US ? view - noop : LEAST_US;
}

// ---- View ---------------------------------------------------------------------

struct view {
    struct product_caller caller;
    snakepit_tensor tensor;
    float last;
};

static void open_view(struct view *view, struct product *product)
{
    product_caller_init(&view->caller, product, 0);
    view->tensor = (snakepit_tensor){
        .dtype = SNAKEPIT_FLOAT32, .rank = 1, .shape = {(int64_t)ELEMENTS}};
    void *data;
    snakepit_err err = snakepit_tensor_new(
        product->pit, product->pools[0], &view->tensor, &data, NULL);
    if (err != SNAKEPIT_OK) {
        product_fail("no tensor in shared memory", err, NULL);
    }
    float *elements = data;
    for (size_t i = 0; i < ELEMENTS; i++) {
        elements[i] = (float)i;
    }
    view->last = (float)LAST;
}

static void close_view(struct view *view, struct product *product)
{
    snakepit_tensor_free(product->pit, &view->tensor);
    product_caller_fini(&view->caller);
}

static void product_view(void *side, uint32_t x)
{
    (void)x;
    struct view *view = side;
    struct product_caller *caller = &view->caller;
    snakepit_answer *answer = NULL;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, "t");
    snakepit_writer_tensor(caller->writer, &view->tensor);
    snakepit_err err =
        snakepit_call(caller->pit, "view", caller->writer, &caller->options, &answer);
    if (err != SNAKEPIT_OK) {
        product_fail("view failed", err, answer);
    }
    snakepit_reader reader;
    snakepit_value last = {0};
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_find(&reader, "last", &reader) != SNAKEPIT_OK ||
        snakepit_reader_next(&reader, &last) != SNAKEPIT_OK ||
        last.kind != SNAKEPIT_REAL || last.as.real != view->last) {
        bench_fatal("a wrong view: %s", snakepit_answer_json(answer));
    }
    snakepit_answer_free(answer);
}

static void product_noop(void *side, uint32_t x)
{
    struct view *view = side;
    product_call(&view->caller, "noop", x);
}

static void view_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct view view;
    open_view(&view, &bench->product);
    double noop = median_us(bench, product_noop, &view);
    figures[0] = on_top(median_us(bench, product_view, &view), noop);
    close_view(&view, &bench->product);
}

static void limit_view(void *side, uint32_t x)
{
    (void)x;
    if (limit_call_view(side, 0) != (double)(float)LAST) {
        bench_fatal("the limit's view is of something else");
    }
}

static void limit_noop(void *side, uint32_t x)
{
    limit_call(side, 0, LIMIT_NOOP, x);
}

static void view_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit *limit = &bench->limits[0];
    struct limit_caller caller = limit_caller(limit);
    limit_tensor(limit)[LAST] = (float)LAST;
    limit_set_waiting(limit, LIMIT_SPIN);
    double noop = median_us(bench, limit_noop, &caller);
    figures[0] = on_top(median_us(bench, limit_view, &caller), noop);
    limit_set_waiting(limit, LIMIT_ADAPT);
}

const struct bench_case bench_case_view = {
    .rows = {"tensor_64mib_view"},
    .unit = "us",
    .executors = {1},
    .tensors = true,
    .product = view_product,
    .limit = view_limit,
    .peer = "tensor_view",
};

// ---- Result -------------------------------------------------------------------

static void product_produce(void *side, uint32_t x)
{
    struct product_caller *caller = side;
    snakepit_answer *answer = NULL;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, "x");
    snakepit_writer_uint(caller->writer, x);
    snakepit_err err = snakepit_call(
        caller->pit, "produce", caller->writer, &caller->options, &answer);
    if (err != SNAKEPIT_OK) {
        product_fail("produce failed", err, answer);
    }
    snakepit_reader reader;
    snakepit_value value = {0};
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TENSOR ||
        value.as.tensor.shape[0] != (int64_t)ELEMENTS ||
        ((const float *)value.as.tensor.data)[LAST] != (float)x) {
        bench_fatal("a wrong tensor came back");
    }
    snakepit_answer_free(answer);
}

static void result_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    figures[0] = median_us(bench, product_produce, &caller) / 1000;
    product_caller_fini(&caller);
}

struct limit_result {
    struct limit_caller caller;
    const float *tensor;
};

static void limit_produce(void *side, uint32_t x)
{
    struct limit_result *result = side;
    limit_call(&result->caller, 0, LIMIT_PRODUCE, x);
    if (result->tensor[LAST] != (float)x) {
        bench_fatal("the limit made a wrong tensor");
    }
}

static void result_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit *limit = &bench->limits[0];
    struct limit_result result = {limit_caller(limit), limit_result_tensor(limit)};
    limit_set_waiting(limit, LIMIT_SPIN);
    figures[0] = median_us(bench, limit_produce, &result) / 1000;
    limit_set_waiting(limit, LIMIT_ADAPT);
}

const struct bench_case bench_case_result = {
    .rows = {"tensor_64mib_result"},
    .unit = "ms",
    .executors = {1},
    .tensors = true,
    .product = result_product,
    .limit = result_limit,
    .peer = "tensor_result",
};
