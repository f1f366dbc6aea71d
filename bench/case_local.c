// SPDX-License-Identifier: MIT
// A program that uses the pools of a daemon on the same machine, and beside it one that
// has the same pool for itself; and eight programs at once.
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "served.h"

#define CLIENTS 8u

// ---- One client -----------------------------------------------------------------

static void measure_local(struct bench *bench,
                          const struct bench_case *what,
                          bench_measure *measure,
                          double figures[BENCH_FIGURES])
{
    struct served served;
    const struct product_options options = bench_product_options(bench, what);
    served_open(&served, &options);
    product_connect(&bench->product, served.address);
    measure(bench, figures);
    product_close(&bench->product);
    served_close(&served);
}

// The first figure is that of the local door, the second that of a pit with the same
// pool.
static void beside(struct bench *bench,
                   const struct bench_case *what,
                   bench_measure *measure,
                   double figures[BENCH_FIGURES])
{
    double own[BENCH_FIGURES] = {NAN, NAN};
    bench_open_product(bench, what);
    measure(bench, own);
    product_close(&bench->product);
    measure_local(bench, what, measure, figures);
    figures[1] = own[0];
}

static void local_warm(struct bench *bench, double figures[BENCH_FIGURES])
{
    beside(bench, &bench_case_local_warm, bench_warm, figures);
}

const struct bench_case bench_case_local_warm = {
    .rows = {"local_warm_p50", "local_beside_warm_p50"},
    .unit = "us",
    .opens_itself = true,
    .executors = {1},
    .product = local_warm,
};

static void local_inflight(struct bench *bench, double figures[BENCH_FIGURES])
{
    beside(bench, &bench_case_local_inflight, bench_inflight, figures);
}

const struct bench_case bench_case_local_inflight = {
    .rows = {"local_inflight32", "local_beside_inflight32"},
    .unit = "calls/s",
    .opens_itself = true,
    .executors = {1},
    .product = local_inflight,
};

// ---- Eight ----------------------------------------------------------------------

// In memory that all of them share.
struct clients {
    _Atomic uint32_t ready;
    _Atomic bool go;
    double calls[CLIENTS]; // a second
};

static void one_each(struct bench *bench, double figures[BENCH_FIGURES])
{
    figures[0] = product_crowd(&bench->product, "noop", 1, bench_duration(bench));
}

static _Noreturn void be_client(struct bench *bench,
                                struct clients *clients,
                                uint32_t number,
                                bench_measure *measure)
{
    double figures[BENCH_FIGURES];
    atomic_fetch_add(&clients->ready, 1);
    while (!atomic_load(&clients->go)) {
        (void)sched_yield();
    }
    measure(bench, figures);
    clients->calls[number] = figures[0];
    product_close(&bench->product);
    _exit(0);
}

static void start_client(struct bench *bench,
                         const char *address,
                         struct clients *clients,
                         uint32_t number,
                         bench_measure *measure)
{
    const pid_t pid = fork();
    if (pid < 0) {
        bench_fatal("no process for a client: %s", strerror(errno));
    }
    if (pid == 0) {
        product_connect(&bench->product, address);
        be_client(bench, clients, number, measure);
    }
}

static void run_clients(struct bench *bench,
                        const char *address,
                        struct clients *clients,
                        bench_measure *measure)
{
    int status = 0;
    atomic_store(&clients->ready, 0);
    atomic_store(&clients->go, false);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        start_client(bench, address, clients, i, measure);
    }
    while (atomic_load(&clients->ready) < CLIENTS) {
        bench_sleep(SP_NS_PER_MS);
    }
    atomic_store(&clients->go, true);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (wait(&status) < 0 || status != 0) {
            bench_fatal("a client of the local door has ended with status %x",
                        (unsigned)status);
        }
    }
}

static double sum_of(const struct clients *clients)
{
    double sum = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        sum += clients->calls[i];
    }
    return sum;
}

// Of the client that got the least, how much of its share that was.
static double least_of(const struct clients *clients)
{
    double least = INFINITY;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        least = fmin(least, clients->calls[i]);
    }
    return least * CLIENTS / sum_of(clients);
}

static struct clients *share_clients(void)
{
    void *memory = mmap(NULL,
                        sizeof(struct clients),
                        PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS,
                        -1,
                        0);
    if (memory == MAP_FAILED) {
        bench_fatal("no memory to share: %s", strerror(errno));
    }
    return memory;
}

// What `figure` makes of eight with 32 calls in flight each, and of eight with one.
static void measure_clients(struct bench *bench,
                            const struct bench_case *what,
                            double (*figure)(const struct clients *clients),
                            double figures[BENCH_FIGURES])
{
    static bench_measure *const measures[BENCH_FIGURES] = {bench_inflight, one_each};
    struct served served;
    struct clients *clients = share_clients();
    const struct product_options options = bench_product_options(bench, what);
    served_open(&served, &options);
    for (int i = 0; i < BENCH_FIGURES; i++) {
        run_clients(bench, served.address, clients, measures[i]);
        figures[i] = figure(clients);
    }
    served_close(&served);
    (void)munmap(clients, sizeof *clients);
}

static void local_clients(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure_clients(bench, &bench_case_local_clients, sum_of, figures);
}

const struct bench_case bench_case_local_clients = {
    .rows = {"local_clients8_inflight32", "local_clients8_one_each"},
    .unit = "calls/s",
    .opens_itself = true,
    .executors = {1},
    .product = local_clients,
};

static void local_fairness(struct bench *bench, double figures[BENCH_FIGURES])
{
    measure_clients(bench, &bench_case_local_fairness, least_of, figures);
}

const struct bench_case bench_case_local_fairness = {
    .rows = {"local_clients8_least", "local_clients8_least_each"},
    .unit = "of share",
    .opens_itself = true,
    .executors = {1},
    .product = local_fairness,
};
