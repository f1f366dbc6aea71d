// SPDX-License-Identifier: MIT
// JSON to arguments and results to JSON, in megabytes of JSON a second, beside orjson
// and msgspec on the same values. The product makes MessagePack and reads it; they make
// Python's objects and read those. Each value comes from a tool: bench/json_values.py.
#include "bench.h"

#include <string.h>

#define FEWEST  5u
#define WARM_UP 3u

// Calls a tool of JsonAdapter.
static snakepit_answer *
ask(struct product_caller *caller, const char *tool, const char *shape)
{
    snakepit_answer *answer = NULL;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, "shape");
    snakepit_writer_str(caller->writer, shape);
    snakepit_err err =
        snakepit_call(caller->pit, tool, caller->writer, &caller->options, &answer);
    if (err != SNAKEPIT_OK) {
        product_fail(tool, err, answer);
    }
    return answer;
}

// The text of an answer that is one.
static snakepit_span text_of(const snakepit_answer *answer)
{
    snakepit_reader reader;
    snakepit_value value = {0};
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        bench_fatal("the bench's adapter gave no text");
    }
    return value.as.text;
}

static bool goes_on(const struct bench_samples *samples, uint64_t end)
{
    return samples->count < samples->room &&
           (samples->count < FEWEST || sp_clock_now() < end);
}

// The median, bytes a microsecond being megabytes a second.
static double rate(struct bench_samples *samples, size_t bytes)
{
    return (double)bytes / bench_samples_quantile(samples, 0.5);
}

// ---- Reading ------------------------------------------------------------------

static void read_once(snakepit_writer *writer, snakepit_span text)
{
    snakepit_message why;
    snakepit_writer_reset(writer);
    if (snakepit_writer_json(writer, text.data, text.size, &why) != SNAKEPIT_OK) {
        bench_fatal("JSON was refused: %s", why.text);
    }
}

static double read_shape(struct bench *bench, const char *shape)
{
    struct bench_samples *samples = &bench->samples;
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    snakepit_answer *answer = ask(&caller, "text", shape);
    const snakepit_span text = text_of(answer);
    for (unsigned i = 0; i < WARM_UP; i++) {
        read_once(caller.writer, text);
    }
    samples->count = 0;
    for (uint64_t end = sp_clock_now() + bench_duration(bench);
         goes_on(samples, end);) {
        uint64_t start = sp_clock_now();
        read_once(caller.writer, text);
        bench_samples_add(samples, sp_clock_now() - start);
    }
    double result = rate(samples, text.size);
    snakepit_answer_free(answer);
    product_caller_fini(&caller);
    return result;
}

// ---- Writing ------------------------------------------------------------------

// The text of an answer is made once, so each needs a call, whose time does not count.
static size_t
write_once(struct bench *bench, struct product_caller *caller, const char *shape)
{
    snakepit_answer *answer = ask(caller, "value", shape);
    uint64_t start = sp_clock_now();
    const char *json = snakepit_answer_json(answer);
    bench_samples_add(&bench->samples, sp_clock_now() - start);
    if (json == NULL) {
        bench_fatal("an answer became no JSON");
    }
    size_t size = strlen(json);
    snakepit_answer_free(answer);
    return size;
}

static double write_shape(struct bench *bench, const char *shape)
{
    struct product_caller caller;
    size_t size = 0;
    product_caller_init(&caller, &bench->product, 0);
    for (unsigned i = 0; i < WARM_UP; i++) {
        (void)write_once(bench, &caller, shape);
    }
    bench->samples.count = 0;
    for (uint64_t end = sp_clock_now() + bench_duration(bench);
         goes_on(&bench->samples, end);) {
        size = write_once(bench, &caller, shape);
    }
    product_caller_fini(&caller);
    return rate(&bench->samples, size);
}

// ---- Cases --------------------------------------------------------------------

#define JSON_CASE(verb, shape)                                                     \
    static void verb##_##shape(struct bench *bench, double figures[BENCH_FIGURES]) \
    {                                                                              \
        figures[0] = verb##_shape(bench, #shape);                                  \
    }                                                                              \
    const struct bench_case bench_case_json_##verb##_##shape = {                   \
        .rows = {"json_" #verb "_" #shape},                                        \
        .unit = "MB/s",                                                            \
        .adapter = "json_adapter:JsonAdapter",                                     \
        .json = true,                                                              \
        .executors = {1},                                                          \
        .product = verb##_##shape,                                                 \
        .peer = "json_" #verb "_" #shape,                                          \
    }

JSON_CASE(read, maps);
JSON_CASE(read, floats);
JSON_CASE(read, text);
JSON_CASE(read, signs);
JSON_CASE(write, maps);
JSON_CASE(write, floats);
JSON_CASE(write, text);
JSON_CASE(write, signs);
