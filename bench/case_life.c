// SPDX-License-Identifier: MIT
// The lives of workers: what one costs while nobody calls, how long one takes to be
// ready, and how soon a call hears that its worker was killed.
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define WARM_UP    1000u
#define SETTLE     (100 * SP_NS_PER_MS)
#define LEAST_IDLE (1 * SP_NS_PER_S)
#define GIBIBYTE   (UINT64_C(1) << 30)
#define REST_MS    30000

// ---- Idle ---------------------------------------------------------------------

// Percent of one core that host and worker take after they were busy.
static void idle_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        product_call(&caller, "noop", BENCH_FIRST_X + i);
    }
    product_caller_fini(&caller);
    bench_sleep(SETTLE);
    // Two seconds in the full run: as long as it takes for every timer to come round.
    uint64_t nap = 4 * bench_duration(bench);
    pid_t worker = product_worker(&bench->product, 0);
    uint64_t start = sp_clock_now();
    uint64_t before = bench_cpu_here() + bench_cpu_of(worker);
    bench_sleep(nap > LEAST_IDLE ? nap : LEAST_IDLE);
    uint64_t after = bench_cpu_here() + bench_cpu_of(worker);
    figures[0] = (double)(after - before) / (double)(sp_clock_now() - start) * 100;
}

const struct bench_case bench_case_idle = {
    .rows = {"idle_cpu"},
    .unit = "%",
    .executors = {1},
    .product = idle_product,
};

// ---- Start --------------------------------------------------------------------

static double milliseconds_since(uint64_t start)
{
    return (double)(sp_clock_now() - start) / (double)SP_NS_PER_MS;
}

static void start_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    uint64_t start = sp_clock_now();
    bench_open_product(bench, &bench_case_start);
    figures[0] = milliseconds_since(start);
    product_close(&bench->product);
}

// The limit too is ready when a call went through.
static void start_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    uint64_t start = sp_clock_now();
    bench_open_limit(bench, &bench_case_start, 0);
    struct limit_caller caller = limit_caller(&bench->limits[0]);
    limit_call(&caller, 0, LIMIT_NOOP, BENCH_FIRST_X);
    figures[0] = milliseconds_since(start);
    limit_close(&bench->limits[0]);
}

const struct bench_case bench_case_start = {
    .rows = {"start_one_worker"},
    .unit = "ms",
    .executors = {1},
    .opens_itself = true,
    .product = start_product,
    .limit = start_limit,
    .peer = "start_one",
};

// ---- Start of many ------------------------------------------------------------

#define MANY 250

static void start_many_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    uint64_t start = sp_clock_now();
    bench_open_product(bench, &bench_case_start_many);
    figures[0] = milliseconds_since(start);
    product_close(&bench->product);
}

// A bare template forks as many, and each has answered once.
static void start_many_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    uint64_t start = sp_clock_now();
    bench_open_limit(bench, &bench_case_start_many, 0);
    struct limit_caller caller = limit_caller(&bench->limits[0]);
    for (uint32_t i = 0; i < MANY; i++) {
        limit_call(&caller, i % LIMIT_SLOTS, LIMIT_NOOP, BENCH_FIRST_X + i);
    }
    figures[0] = milliseconds_since(start);
    limit_close(&bench->limits[0]);
}

const struct bench_case bench_case_start_many = {
    .rows = {"start_250_workers"},
    .unit = "ms",
    .executors = {1},
    .workers = MANY,
    .processes = true,
    .opens_itself = true,
    .product = start_many_product,
    .limit = start_many_limit,
};

// ---- Death --------------------------------------------------------------------

static snakepit_err call_with_number(struct product_caller *caller,
                                     const char *tool,
                                     const char *key,
                                     uint64_t number)
{
    snakepit_answer *answer = NULL;
    snakepit_writer_reset(caller->writer);
    snakepit_writer_map(caller->writer, 1);
    snakepit_writer_str(caller->writer, key);
    snakepit_writer_uint(caller->writer, number);
    snakepit_err err =
        snakepit_call(caller->pit, tool, caller->writer, &caller->options, &answer);
    if (err != SNAKEPIT_OK && err != SNAKEPIT_WORKER_DIED) {
        product_fail(tool, err, answer);
    }
    snakepit_answer_free(answer);
    return err;
}

static void check_resident(pid_t worker, uint64_t least)
{
    char path[64];
    unsigned long long all;
    unsigned long long resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)worker);
    FILE *statm = fopen(path, "r");
    if (statm != NULL) {
        if (fscanf(statm, "%llu %llu", &all, &resident) != 2) {
            resident = 0;
        }
        fclose(statm);
    }
    if (resident * (uint64_t)sysconf(_SC_PAGESIZE) < least) {
        bench_fatal("worker %d does not hold its memory", (int)worker);
    }
}

struct killer {
    pid_t worker;
    uint64_t killed; // when
};

static void *kill_worker(void *user)
{
    struct killer *killer = user;
    bench_sleep(SETTLE); // the call is running
    killer->killed = sp_clock_now();
    kill(killer->worker, SIGKILL);
    return NULL;
}

static void death_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    // Waits in line while the worker of the last round is replaced.
    if (call_with_number(&caller, "hold", "size", GIBIBYTE) != SNAKEPIT_OK) {
        bench_fatal("the worker died of a gibibyte");
    }
    struct killer killer = {.worker = product_worker(&bench->product, 0)};
    check_resident(killer.worker, GIBIBYTE);
    pthread_t thread;
    if (pthread_create(&thread, NULL, kill_worker, &killer) != 0) {
        bench_fatal("no thread to kill from");
    }
    snakepit_err err = call_with_number(&caller, "rest", "seconds", REST_MS / 1000);
    uint64_t failed = sp_clock_now();
    pthread_join(thread, NULL);
    product_caller_fini(&caller);
    if (err != SNAKEPIT_WORKER_DIED) {
        bench_fatal("a call outlived its worker");
    }
    figures[0] = (double)(failed - killer.killed) / (double)SP_NS_PER_MS;
}

const struct bench_case bench_case_death = {
    .rows = {"death_to_failure_1gib"},
    .unit = "ms",
    .workers_die = true,
    .executors = {1},
    .product = death_product,
    .peer = "death",
};
