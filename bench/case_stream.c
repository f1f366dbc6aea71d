// SPDX-License-Identifier: MIT
// How many small chunks a second one generator hands to one reader: maps with one
// number each, which is looked at.
#include "bench.h"

#define LOOK_EVERY 256u // chunks between two looks at the clock

static void check(snakepit_reader *chunk, uint64_t number)
{
    snakepit_value value = {0};
    if (snakepit_reader_find(chunk, "i", chunk) != SNAKEPIT_OK ||
        snakepit_reader_next(chunk, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_INTEGER || value.as.integer != (int64_t)number) {
        bench_fatal("chunk %llu is another one", (unsigned long long)number);
    }
}

static void read_chunks(snakepit_stream *stream, uint64_t *number, uint64_t count)
{
    for (uint64_t end = *number + count; *number < end; (*number)++) {
        snakepit_reader chunk;
        snakepit_err err = snakepit_stream_next(stream, &chunk);
        if (err != SNAKEPIT_OK) {
            product_fail("a stream failed", err, snakepit_stream_answer(stream));
        }
        check(&chunk, *number);
    }
}

static void chunks_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    snakepit_stream *stream;
    const snakepit_call_options options = {.size = sizeof options,
                                           .pool = bench->product.pools[0]};
    snakepit_err err =
        snakepit_stream_open(bench->product.pit, "chunks", NULL, &options, &stream);
    if (err != SNAKEPIT_OK) {
        product_fail("a stream was refused", err, snakepit_stream_answer(stream));
    }
    uint64_t number = 0;
    read_chunks(stream, &number, LOOK_EVERY);
    uint64_t start = sp_clock_now();
    uint64_t now = start;
    while (now - start < bench_duration(bench)) {
        read_chunks(stream, &number, LOOK_EVERY);
        now = sp_clock_now();
    }
    figures[0] = (double)(number - LOOK_EVERY) / ((double)(now - start) / SP_NS_PER_S);
    snakepit_stream_close(stream);
}

const struct bench_case bench_case_stream = {
    .rows = {"stream_chunks"},
    .unit = "chunks/s",
    .executors = {1},
    .product = chunks_product,
    .peer = "stream_chunks",
};
