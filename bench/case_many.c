// SPDX-License-Identifier: MIT
// Many calls at once over one executor: 32 in flight from one thread, and 32 threads
// with one each.
#include "bench.h"
#include "noop_call.h"

#include <pthread.h>

#define WAIT_MS 10000

// ---- One thread, 32 calls in flight -------------------------------------------

struct flight {
    struct product_caller *caller;
    uint64_t answered;
    bool ending; // answers are no longer followed by calls
};

struct passenger {
    struct flight *flight;
    uint32_t x;
};

static void take_off(struct passenger *passenger);

static void landed(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct passenger *passenger = user;
    struct flight *flight = passenger->flight;
    product_take_noop(err, answer, passenger->x);
    flight->answered++;
    passenger->x += BENCH_IN_FLIGHT;
    if (!flight->ending) {
        take_off(passenger);
    }
}

static void take_off(struct passenger *passenger)
{
    struct product_caller *caller = passenger->flight->caller;
    noop_write(caller->writer, passenger->x);
    snakepit_err err = snakepit_submit(
        caller->pit, "noop", caller->writer, &caller->options, landed, passenger, NULL);
    if (err != SNAKEPIT_OK) {
        product_fail("a call was refused", err, NULL);
    }
}

static void drain(struct flight *flight, uint64_t wanted)
{
    while (flight->answered < wanted) {
        if (snakepit_drain(flight->caller->pit, WAIT_MS) == 0) {
            bench_fatal("no answer within %d ms", WAIT_MS);
        }
    }
}

// Until `end`; looks at the clock every 64 answers or so.
static void drain_until(struct flight *flight, uint64_t end)
{
    while (sp_clock_now() < end) {
        drain(flight, flight->answered + 64);
    }
}

void bench_inflight(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct product_caller caller;
    product_caller_init(&caller, &bench->product, 0);
    int fd;
    if (snakepit_completion_fd(bench->product.pit, &fd) != SNAKEPIT_OK) {
        bench_fatal("no completion descriptor");
    }
    struct flight flight = {.caller = &caller};
    struct passenger passengers[BENCH_IN_FLIGHT];
    for (uint32_t i = 0; i < BENCH_IN_FLIGHT; i++) {
        passengers[i] = (struct passenger){.flight = &flight, .x = BENCH_FIRST_X + i};
        take_off(&passengers[i]);
    }
    drain(&flight, 2000);
    uint64_t before = flight.answered;
    uint64_t start = sp_clock_now();
    drain_until(&flight, start + bench_duration(bench));
    double ns = (double)(sp_clock_now() - start);
    figures[0] = (double)(flight.answered - before) / ns * 1e9;
    flight.ending = true;
    uint64_t last = flight.answered + BENCH_IN_FLIGHT;
    drain(&flight, last);
    if (flight.answered != last) {
        bench_fatal("a call was answered twice");
    }
    product_caller_fini(&caller);
}

// Slots are reaped in order: with one executor they end in order.
static void inflight_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    struct limit *limit = &bench->limits[0];
    struct limit_caller caller = limit_caller(limit);
    uint32_t x[BENCH_IN_FLIGHT];
    limit_set_waiting(limit, LIMIT_SPIN);
    for (uint32_t i = 0; i < BENCH_IN_FLIGHT; i++) {
        x[i] = BENCH_FIRST_X + i;
        limit_submit(&caller, i, LIMIT_NOOP, limit_write_noop(&caller, i, x[i]));
    }
    uint64_t start = sp_clock_now();
    uint64_t end = start + bench_duration(bench);
    uint64_t count = 0;
    for (uint32_t i = 0; (count & 63) != 0 || sp_clock_now() < end; count++) {
        limit_wait(&caller, i);
        limit_check_noop(&caller, i, x[i]);
        x[i] += BENCH_IN_FLIGHT;
        limit_submit(&caller, i, LIMIT_NOOP, limit_write_noop(&caller, i, x[i]));
        i = (i + 1) % BENCH_IN_FLIGHT;
    }
    figures[0] = (double)count / (double)(sp_clock_now() - start) * 1e9;
    for (uint32_t i = 0; i < BENCH_IN_FLIGHT; i++) {
        limit_wait(&caller, i);
    }
    limit_set_waiting(limit, LIMIT_ADAPT);
}

const struct bench_case bench_case_inflight = {
    .rows = {"inflight32_one_executor"},
    .unit = "calls/s",
    .executors = {1},
    .product = bench_inflight,
    .limit = inflight_limit,
    .peer = "inflight",
};

// ---- 32 threads ---------------------------------------------------------------

struct crowd {
    struct bench *bench;
    _Atomic bool stop;
    _Atomic uint64_t calls;
};

struct member {
    struct crowd *crowd;
    pthread_t thread;
    uint32_t index;
};

static void *product_member(void *user)
{
    struct member *member = user;
    struct crowd *crowd = member->crowd;
    struct product_caller caller;
    uint32_t calls = 0;
    product_caller_init(&caller, &crowd->bench->product, 0);
    while (!atomic_load_explicit(&crowd->stop, memory_order_relaxed)) {
        product_call(&caller, "noop", BENCH_FIRST_X + calls++);
    }
    product_caller_fini(&caller);
    atomic_fetch_add(&crowd->calls, calls);
    return NULL;
}

static void *limit_member(void *user)
{
    struct member *member = user;
    struct crowd *crowd = member->crowd;
    struct limit_caller caller = limit_caller_of_many(&crowd->bench->limits[0]);
    uint32_t calls = 0;
    while (!atomic_load_explicit(&crowd->stop, memory_order_relaxed)) {
        limit_call(&caller, member->index, LIMIT_NOOP, BENCH_FIRST_X + calls++);
    }
    atomic_fetch_add(&crowd->calls, calls);
    return NULL;
}

// Calls per second of 32 threads that run `member`.
static double measure_crowd(struct bench *bench, void *(*run)(void *))
{
    struct crowd crowd = {.bench = bench};
    struct member members[BENCH_CALLERS];
    uint64_t start = sp_clock_now();
    for (uint32_t i = 0; i < BENCH_CALLERS; i++) {
        members[i] = (struct member){.crowd = &crowd, .index = i};
        if (pthread_create(&members[i].thread, NULL, run, &members[i]) != 0) {
            bench_fatal("no thread for a caller");
        }
    }
    bench_sleep(bench_duration(bench));
    atomic_store(&crowd.stop, true);
    for (uint32_t i = 0; i < BENCH_CALLERS; i++) {
        pthread_join(members[i].thread, NULL);
    }
    return (double)atomic_load(&crowd.calls) / (double)(sp_clock_now() - start) * 1e9;
}

static void callers_product(struct bench *bench, double figures[BENCH_FIGURES])
{
    figures[0] = measure_crowd(bench, product_member);
}

static void callers_limit(struct bench *bench, double figures[BENCH_FIGURES])
{
    figures[0] = measure_crowd(bench, limit_member);
}

const struct bench_case bench_case_callers = {
    .rows = {"callers32"},
    .unit = "calls/s",
    .executors = {1},
    .product = callers_product,
    .limit = callers_limit,
    .peer = "callers",
};
