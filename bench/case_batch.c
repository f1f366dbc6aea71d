// SPDX-License-Identifier: MIT
// What a tool gains that takes many calls at once: its calls a second, of those of the
// same work one by one.
#include "bench.h"

#define CALLERS 64
#define TURNS   4u // of each tool in one measurement

static void gain_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    uint64_t turn = bench_duration(bench) / 2 / TURNS;
    double alone = 0;
    double together = 0;
    for (uint32_t i = 0; i < TURNS; i++) {
        alone += product_crowd(&bench->product, "one", CALLERS, turn);
        together += product_crowd(&bench->product, "many", CALLERS, turn);
    }
    figures[0] = together / alone;
}

const struct bench_case bench_case_batch = {
    .rows = {"batch_gain"},
    .unit = "x",
    .adapter = "batch_adapter:Batch",
    .executors = {1},
    .product = gain_product,
};
