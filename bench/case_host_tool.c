// SPDX-License-Identifier: MIT
// A call that asks its host again and again: what one question takes, from Python to a
// C function of the program and back. The clock is Python's, in the tool.
#include "bench.h"

#include <string.h>

#define QUESTIONS 20000u // in one call, if the measurement takes half a second
#define WARM_UP   2000u

// {"x": x, ...} gives {"ok": true, "y": x}, as the bench's noop does.
static snakepit_err answer_noop(void *user,
                                const snakepit_tool_info *info,
                                const snakepit_reader *arguments,
                                snakepit_writer *result,
                                snakepit_message *why)
{
    (void)user;
    (void)info;
    (void)why;
    snakepit_reader at;
    snakepit_value x;
    snakepit_err err = snakepit_reader_find(arguments, "x", &at);
    if (err == SNAKEPIT_OK) {
        err = snakepit_reader_next(&at, &x);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_writer_map(result, 2);
    snakepit_writer_str(result, "ok");
    snakepit_writer_bool(result, true);
    snakepit_writer_str(result, "y");
    snakepit_writer_int(result, x.as.integer);
    return SNAKEPIT_OK;
}

static double figure(const snakepit_answer *answer, const char *name)
{
    snakepit_reader at;
    snakepit_value value;
    snakepit_answer_reader(answer, &at);
    if (snakepit_reader_find(&at, name, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_REAL) {
        bench_fatal("the bench's ask gave no %s", name);
    }
    return value.as.real;
}

static void ask(struct bench *bench, uint32_t count, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    snakepit_answer *answer = NULL;
    product_caller_init(&caller, &bench->product, 0);
    snakepit_writer_reset(caller.writer);
    snakepit_writer_map(caller.writer, 1);
    snakepit_writer_str(caller.writer, "count");
    snakepit_writer_uint(caller.writer, count);
    snakepit_err err =
        snakepit_call(caller.pit, "ask", caller.writer, &caller.options, &answer);
    if (err != SNAKEPIT_OK) {
        product_fail("ask", err, answer);
    }
    figures[0] = figure(answer, "p50");
    figures[1] = figure(answer, "p99");
    snakepit_answer_free(answer);
    product_caller_fini(&caller);
}

static void host_tool_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    snakepit *pit = bench->product.pit;
    snakepit_err err = snakepit_tool_register(pit, "noop", answer_noop, NULL, NULL);
    if (err != SNAKEPIT_OK) {
        bench_fatal("the host's tool: %s", snakepit_err_name(err));
    }
    ask(bench, WARM_UP, figures);
    ask(bench, (uint32_t)(QUESTIONS * 2 * bench->seconds), figures);
    (void)snakepit_tool_unregister(pit, "noop", NULL);
}

const struct bench_case bench_case_host_tool = {
    .rows = {"host_tool_roundtrip", "host_tool_roundtrip_p99"},
    .unit = "us",
    .executors = {1},
    .product = host_tool_product,
};
