// SPDX-License-Identifier: MIT
// 64 MiB of float32 through the thread pool. The numbers are multiples of 1/8 below
// 128, so their sum is exact in double precision whatever the order, and C and NumPy
// must agree to the last bit; only the norms are rounded.
#include "cli/demo.h"

#include <math.h>

#include "base/clock.h"
#include "cli/output.h"

#define ROWS      4096
#define COLUMNS   4096
#define TOLERANCE 1e-3 // of a norm: 4096 additions in single precision

struct expected {
    double sum;
    double min;
    double max;
    double norms[ROWS];
};

static float element(uint32_t row, uint32_t column)
{
    uint32_t mixed = (row * COLUMNS + column) * UINT32_C(2654435761);
    return (float)(mixed >> 22) / 8.0F;
}

static void fill(float *data, struct expected *expected)
{
    expected->min = INFINITY;
    expected->max = -INFINITY;
    for (uint32_t row = 0; row < ROWS; row++) {
        double squares = 0;
        for (uint32_t column = 0; column < COLUMNS; column++) {
            double value = element(row, column);
            *data++ = (float)value;
            expected->sum += value;
            squares += value * value;
            expected->min = fmin(expected->min, value);
            expected->max = fmax(expected->max, value);
        }
        expected->norms[row] = sqrt(squares);
    }
}

static void write_args(snakepit_writer *args, const snakepit_tensor *tensor)
{
    snakepit_writer_reset(args);
    snakepit_writer_map(args, 1);
    snakepit_writer_str(args, "array");
    snakepit_writer_tensor(args, tensor);
}

static void check_stats(struct sp_demo *demo,
                        const snakepit_answer *answer,
                        const struct expected *expected,
                        uint64_t took)
{
    char duration[SP_DEMO_FORMAT_MAX];
    double sum = sp_demo_number(answer, "sum");
    double mean = sp_demo_number(answer, "mean");
    double min = sp_demo_number(answer, "min");
    double max = sp_demo_number(answer, "max");
    bool right = sum == expected->sum && min == expected->min && max == expected->max &&
                 mean == expected->sum / (ROWS * COLUMNS);
    sp_demo_row(demo,
                right,
                "        sum %.3f, mean %.6f, min %.3f, max %.3f, %s",
                sum,
                mean,
                min,
                max,
                sp_demo_duration(took, duration));
}

static bool norms_agree(const snakepit_answer *answer, const struct expected *expected)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TENSOR || value.as.tensor.dtype != SNAKEPIT_FLOAT32 ||
        value.as.tensor.rank != 1 || value.as.tensor.shape[0] != ROWS) {
        return false;
    }
    const float *norms = value.as.tensor.data;
    for (size_t row = 0; row < ROWS; row++) {
        double exact = expected->norms[row];
        if (!(fabs((double)norms[row] - exact) <= TOLERANCE * exact)) {
            return false;
        }
    }
    return true;
}

static void check_norms(struct sp_demo *demo,
                        const snakepit_answer *answer,
                        const struct expected *expected,
                        uint64_t took)
{
    char duration[SP_DEMO_FORMAT_MAX];
    sp_demo_row(demo,
                norms_agree(answer, expected),
                "        the norms of its %d rows, read in place as a tensor, %s",
                ROWS,
                sp_demo_duration(took, duration));
}

typedef void check_fn(struct sp_demo *demo,
                      const snakepit_answer *answer,
                      const struct expected *expected,
                      uint64_t took);

static void run(struct sp_demo *demo,
                const char *tool,
                const snakepit_writer *args,
                const struct expected *expected,
                check_fn *check)
{
    snakepit_answer *answer = NULL;
    uint64_t start = sp_clock_now();
    snakepit_err err = sp_demo_call(demo, "arrays", tool, args, &answer);
    uint64_t took = sp_clock_now() - start;
    if (err == SNAKEPIT_OK) {
        check(demo, answer, expected, took);
    } else {
        sp_demo_failed(demo, "arrays  a call", err, answer);
    }
    snakepit_answer_free(answer);
}

void sp_demo_arrays(struct sp_demo *demo)
{
    static struct expected expected; // too large for a stack
    snakepit_tensor tensor = {
        .dtype = SNAKEPIT_FLOAT32, .rank = 2, .shape = {ROWS, COLUMNS}};
    void *data = NULL;
    snakepit_writer *args = snakepit_writer_new();
    snakepit_err err = args != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    if (err == SNAKEPIT_OK) {
        err = snakepit_tensor_new(demo->pit, "arrays", &tensor, &data, NULL);
    }
    if (err != SNAKEPIT_OK) {
        sp_demo_failed(demo, "arrays  a tensor", err, NULL);
        snakepit_writer_free(args);
        return;
    }
    fill(data, &expected);
    sp_cli_print(
        demo->cli,
        "arrays  float32, %d x %d, 64 MiB in shared memory, seen by NumPy without a "
        "copy\n",
        ROWS,
        COLUMNS);
    write_args(args, &tensor);
    run(demo, "stats", args, &expected, check_stats);
    run(demo, "row_norms", args, &expected, check_norms);
    snakepit_writer_free(args);
    snakepit_tensor_free(demo->pit, &tensor);
}
