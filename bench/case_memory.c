// SPDX-License-Identifier: MIT
// What workers take of the machine's memory: each of many processes for itself, and
// processes against threads that share a model.
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY     64
#define CAPACITY 32
#define THREADS  16 // of each worker of the thread profile
#define MIB      (1024.0 * 1024.0)
#define KIB      1024.0

static void read_rollup(pid_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    size_t got = file == NULL ? 0 : fread(text, 1, size - 1, file);
    text[got] = 0;
    if (file != NULL) {
        fclose(file);
    }
    if (got == 0) {
        bench_fatal("%s cannot be read", path);
    }
}

// The bytes that a line of /proc/PID/smaps_rollup tells.
static double bytes_in(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at == NULL ? 0 : strtod(at + strlen(key), NULL) * KIB;
}

// Of all workers of the pool: what is theirs alone, and their share of what there is.
struct usage {
    size_t workers;
    double private_bytes;
    double proportional_bytes;
};

static struct usage look(struct bench *bench)
{
    snakepit_worker_info rows[MANY] = {{.size = sizeof rows[0]}};
    struct usage usage = {0};
    if (snakepit_pool_workers(bench->product.pit, NULL, rows, MANY, &usage.workers) !=
        SNAKEPIT_OK) {
        bench_fatal("the pool does not tell its workers");
    }
    for (size_t i = 0; i < usage.workers; i++) {
        char text[4096];
        read_rollup(rows[i].pid, text, sizeof text);
        usage.private_bytes +=
            bytes_in(text, "\nPrivate_Clean:") + bytes_in(text, "\nPrivate_Dirty:");
        usage.proportional_bytes += bytes_in(text, "\nPss:");
    }
    return usage;
}

// ---- Of its own ---------------------------------------------------------------

static void private_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct usage usage = look(bench);
    figures[0] = usage.private_bytes / (double)usage.workers / MIB;
}

const struct bench_case bench_case_private_memory = {
    .rows = {"private_memory_per_worker"},
    .unit = "MiB",
    .executors = {1},
    .workers = MANY,
    .processes = true,
    .product = private_product,
};

// ---- A model ------------------------------------------------------------------

static const struct bench_case model_in_processes = {
    .adapter = "model_adapter:Model",
    .executors = {1},
    .workers = CAPACITY,
    .processes = true,
};

static const struct bench_case model_in_threads = {
    .adapter = "model_adapter:Model",
    .executors = {THREADS},
    .workers = CAPACITY / THREADS,
};

static double memory_of(struct bench *bench, const struct bench_case *what)
{
    bench_open_product(bench, what);
    struct usage usage = look(bench);
    if (usage.workers != what->workers) {
        bench_fatal("%zu workers, not %u", usage.workers, what->workers);
    }
    product_close(&bench->product);
    return usage.proportional_bytes;
}

static void profiles_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    double processes = memory_of(bench, &model_in_processes);
    figures[0] = processes / memory_of(bench, &model_in_threads);
}

const struct bench_case bench_case_profiles = {
    .rows = {"thread_vs_process_memory"},
    .unit = "x",
    .free_threaded_only = true,
    .opens_itself = true,
    .executors = {1},
    .product = profiles_product,
};
