// SPDX-License-Identifier: MIT
// What the bridge adds to the start of an interpreter: the import of all that adapter
// authors use. The limit is the start of a bare interpreter.
#include "bench.h"

#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#define PAIRS 199u // most of them in a round
#define LEAST 5u

// Milliseconds from the start to the end of an interpreter that runs `program`.
static double run(const struct bench *bench, const char *program)
{
    char isolated[] = "-I"; // of what the environment and the current folder have
    char flag[] = "-c";
    char python[4096];
    char text[256];
    char *words[] = {python, isolated, flag, text, NULL};
    char *environment[] = {NULL};
    snprintf(python, sizeof python, "%s", bench->python->program);
    snprintf(text, sizeof text, "%s", program);
    uint64_t start = sp_clock_now();
    pid_t pid;
    int status;
    int err = posix_spawn(&pid, python, NULL, NULL, words, environment);
    if (err != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        bench_fatal("%s -I -c '%s' failed", python, program);
    }
    return (double)(sp_clock_now() - start) / (double)SP_NS_PER_MS;
}

// One after the other, so that both see the same machine.
static void measure(struct bench *bench, double *bare, double *added)
{
    double bares[PAIRS];
    double more[PAIRS];
    size_t count = 0;
    uint64_t end = sp_clock_now() + bench_duration(bench);
    while (count < PAIRS && (count < LEAST || sp_clock_now() < end)) {
        bares[count] = run(bench, "pass");
        more[count] = run(bench, "from snakepit_bridge import *") - bares[count];
        count++;
    }
    *bare = bench_median(bares, count);
    *added = bench_median(more, count);
}

static double last_bare; // of the round that runs

static void import_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure(bench, &last_bare, &figures[0]);
}

static void import_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    (void)bench;
    figures[0] = last_bare;
}

const struct bench_case bench_case_import = {
    .rows = {"bridge_import"},
    .unit = "ms",
    .opens_itself = true,
    .product = import_product,
    .limit = import_limit,
};
