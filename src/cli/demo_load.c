// SPDX-License-Identifier: MIT
// Many small calls: all at once from several threads, and one after another.
#include "cli/demo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"

#define THREADS 8u
#define CALLS   125u // of each thread
#define WARM_UP 1000 // calls
#define SAMPLES 4000 // calls that are timed

static const char *const pools[] = {"text", "arrays"};

// The callers' common state; they only read `demo`.
struct load {
    const struct sp_demo *demo;
    pthread_mutex_t gate; // held by the main thread until all are there
    atomic_uint right;
};

struct caller {
    struct load *load;
    pthread_t thread;
    int64_t number;
};

static void *call_by_turns(void *user)
{
    const struct caller *caller = user;
    struct load *load = caller->load;
    snakepit_writer *args = snakepit_writer_new();
    unsigned right = 0;
    pthread_mutex_lock(&load->gate);
    pthread_mutex_unlock(&load->gate);
    for (unsigned i = 0; args != NULL && i < CALLS && sp_cli_interrupted() == 0; i++) {
        right += sp_demo_add(load->demo, pools[i % 2], args, i, caller->number * 1000);
    }
    // It is read after the threads were joined.
    atomic_fetch_add_explicit(&load->right, right, memory_order_relaxed);
    snakepit_writer_free(args);
    return NULL;
}

// Runs the callers, as many as can be started; gives how long they took.
static uint64_t run_callers(struct load *load)
{
    struct caller callers[THREADS];
    size_t started = 0;
    pthread_mutex_lock(&load->gate);
    for (; started < THREADS; started++) {
        struct caller *caller = &callers[started];
        caller->load = load;
        caller->number = (int64_t)started;
        if (pthread_create(&caller->thread, NULL, call_by_turns, caller) != 0) {
            break;
        }
    }
    uint64_t start = sp_clock_now();
    pthread_mutex_unlock(&load->gate);
    for (size_t i = 0; i < started; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    return sp_clock_now() - start;
}

void sp_demo_load(struct sp_demo *demo)
{
    struct load load = {.demo = demo, .gate = PTHREAD_MUTEX_INITIALIZER};
    char duration[SP_DEMO_FORMAT_MAX];
    char answered[SP_DEMO_FORMAT_MAX];
    char calls[SP_DEMO_FORMAT_MAX];
    char rate[SP_DEMO_FORMAT_MAX];
    uint64_t took = run_callers(&load);
    unsigned right = atomic_load_explicit(&load.right, memory_order_relaxed);
    sp_demo_row(
        demo,
        right == THREADS * CALLS,
        "calls   %s of %s from %u threads, both pools by turns, %s: %s a second",
        sp_demo_count(right, answered),
        sp_demo_count((uint64_t)THREADS * CALLS, calls),
        THREADS,
        sp_demo_duration(took, duration),
        sp_demo_count(right * SP_NS_PER_S / (took + 1), rate));
}

static int compare(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static bool measure(const struct sp_demo *demo,
                    const char *pool,
                    snakepit_writer *args,
                    uint64_t *samples)
{
    bool right = true;
    for (int i = 0; i < WARM_UP + SAMPLES && right && sp_cli_interrupted() == 0; i++) {
        uint64_t start = sp_clock_now();
        right = sp_demo_add(demo, pool, args, i, 1);
        if (i >= WARM_UP) {
            samples[i - WARM_UP] = sp_clock_now() - start;
        }
    }
    qsort(samples, SAMPLES, sizeof(*samples), compare);
    return right;
}

void sp_demo_latency(struct sp_demo *demo)
{
    static uint64_t samples[SAMPLES]; // too many for a stack
    sp_cli_print(demo->cli, "no-op   warm, one caller%12s%12s\n", "p50", "p99");
    snakepit_writer *args = snakepit_writer_new();
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        char p50[SP_DEMO_FORMAT_MAX];
        char p99[SP_DEMO_FORMAT_MAX];
        bool right = args != NULL && measure(demo, pools[i], args, samples);
        sp_demo_row(demo,
                    right,
                    "        %-16s%12s%12s",
                    pools[i],
                    sp_demo_duration(samples[SAMPLES / 2], p50),
                    sp_demo_duration(samples[SAMPLES * 99 / 100], p99));
    }
    snakepit_writer_free(args);
}
