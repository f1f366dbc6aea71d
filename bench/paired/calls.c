// SPDX-License-Identifier: MIT
// A program as its user would write it: calls a tool that does nothing as fast as it
// goes, and prints below which time 5, 25 and 50 % of the calls were, in ns. It is
// compiled for each of the two builds that compare.py compares.
//
//     calls PYTHON FOLDER ROUND
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <snakepit/snakepit.h>

#include "../noop_call.h"

#define WARM_UP  20000u
#define MEASURED 200000u

static double times[MEASURED];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;
    return (*one > *other) - (*one < *other);
}

static void fail(const char *what, snakepit_err err)
{
    fprintf(stderr, "%s: %s\n", what, snakepit_err_name(err));
    exit(1);
}

static snakepit *open_pit(const char *python, const char *folder, const char *round)
{
    char yaml[4096];
    const snakepit_open_options quiet = {.size = sizeof quiet,
                                         .log_level = SNAKEPIT_LOG_OFF};
    snakepit_message why = {{0}};
    snakepit *pit = NULL;
    const int size =
        snprintf(yaml,
                 sizeof yaml,
                 "pools:\n"
                 "  - name: default\n"
                 "    pool_size: 1\n"
                 "    adapter: paired_adapter.PairedAdapter\n"
                 "    adapter_env: {PYTHONPATH: \"%s\", BENCH_ROUND: \"%s\"}\n"
                 "    python: \"%s\"\n",
                 folder,
                 round,
                 python);
    snakepit_err err = snakepit_open_memory(yaml, (size_t)size, &quiet, &pit, &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_await_ready(pit, NULL, 60000, &why);
    }
    if (err != SNAKEPIT_OK) {
        fail(why.text, err);
    }
    return pit;
}

static void call(snakepit *pit, snakepit_writer *writer, uint32_t x)
{
    const snakepit_call_options options = {.size = sizeof options, .pool = "default"};
    snakepit_answer *answer = NULL;
    noop_write(writer, x);
    const snakepit_err err = snakepit_call(pit, "noop", writer, &options, &answer);
    if (err != SNAKEPIT_OK) {
        fail("noop", err);
    }
    if (!noop_is_right(answer, x)) {
        fail("a wrong answer", SNAKEPIT_MALFORMED);
    }
    snakepit_answer_free(answer);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: calls PYTHON FOLDER ROUND\n", stderr);
        return 2;
    }
    void *shift = malloc((size_t)(atoi(argv[3]) * 448 % 4096)); // of all that follows
    snakepit *pit = open_pit(argv[1], argv[2], argv[3]);
    snakepit_writer *writer = snakepit_writer_new();
    for (uint32_t i = 0; i < WARM_UP; i++) {
        call(pit, writer, i);
    }
    for (uint32_t i = 0; i < MEASURED; i++) {
        const double start = now();
        call(pit, writer, i);
        times[i] = now() - start;
    }
    qsort(times, MEASURED, sizeof times[0], compare);
    printf("%.0f %.0f %.0f\n",
           times[MEASURED / 20],
           times[MEASURED / 4],
           times[MEASURED / 2]);
    snakepit_writer_free(writer);
    snakepit_close(pit, 1000);
    free(shift);
    return 0;
}
