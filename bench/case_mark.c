// SPDX-License-Identifier: MIT
// What the mark of a method costs: a tool times calls of a marked method and of an
// unmarked one, on two executors at once, which is where counting could get in the way.
// It is a share of a whole call that does nothing, so that one is its limit.
#include "bench.h"

#include <pthread.h>

#define EXECUTORS 2
#define MARKED    1u // the pool; the one before it is the limit's

struct timing {
    struct bench *bench;
    double us; // more that a call of the marked method takes
    pthread_t thread;
};

static double read_figure(snakepit_answer *answer)
{
    snakepit_reader reader;
    snakepit_value value = {0};
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_REAL) {
        bench_fatal("mark_cost: a wrong answer: %s", snakepit_answer_json(answer));
    }
    return value.as.real;
}

static void *time_marks(void *user)
{
    struct timing *timing = user;
    struct product_caller caller;
    snakepit_answer *answer = NULL;
    product_caller_init(&caller, &timing->bench->product, MARKED);
    snakepit_writer_map(caller.writer, 1);
    snakepit_writer_str(caller.writer, "seconds");
    snakepit_writer_double(caller.writer, timing->bench->seconds);
    snakepit_err err =
        snakepit_call(caller.pit, "mark_cost", caller.writer, &caller.options, &answer);
    if (err != SNAKEPIT_OK) {
        product_fail("mark_cost", err, answer);
    }
    timing->us = read_figure(answer);
    snakepit_answer_free(answer);
    product_caller_fini(&caller);
    return NULL;
}

static void mark_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct timing timings[EXECUTORS];
    for (int i = 0; i < EXECUTORS; i++) {
        timings[i] = (struct timing){.bench = bench};
        if (pthread_create(&timings[i].thread, NULL, time_marks, &timings[i]) != 0) {
            bench_fatal("no thread for a caller");
        }
    }
    figures[0] = 0;
    for (int i = 0; i < EXECUTORS; i++) {
        pthread_join(timings[i].thread, NULL);
        figures[0] += timings[i].us / EXECUTORS;
    }
}

const struct bench_case bench_case_mark = {
    .rows = {"thread_safe_method_cost"},
    .unit = "us",
    .free_threaded_only = true,
    .executors = {1, EXECUTORS},
    .product = mark_product,
    .limit = bench_warm_limit,
};
