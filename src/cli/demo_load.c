// SPDX-License-Identifier: MIT
// Many small calls: all at once from several threads, and one after another.
#include "cli/demo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"

#define THREADS 8
#define CALLS   125  // of each thread
#define WARM_UP 500  // calls
#define SAMPLES 4000 // calls that are timed

static const char *const pools[] = {"text", "arrays"};

// Read-only for the threads, but for `right`.
struct load {
    const struct sp_demo *demo;
    pthread_barrier_t barrier;
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
    pthread_barrier_wait(&load->barrier);
    for (int i = 0; args != NULL && i < CALLS && sp_cli_interrupted() == 0; i++) {
        right += sp_demo_add(load->demo, pools[i % 2], args, i, caller->number * 1000);
    }
    // The threads are joined before it is read.
    atomic_fetch_add_explicit(&load->right, right, memory_order_relaxed);
    snakepit_writer_free(args);
    return NULL;
}

// Runs the callers; gives how long they took, 0 if they could not be started.
static uint64_t run_callers(struct load *load, struct caller *callers)
{
    unsigned started = 0;
    // One who cannot be started would leave the others at the barrier, so its number is only
    // known afterwards.
    for (; started < THREADS; started++) {
        callers[started].load = load;
        callers[started].number = started;
        if (pthread_create(
                &callers[started].thread, NULL, call_by_turns, &callers[started]) != 0) {
            break;
        }
    }
    // The missing ones are stood in for, so that nobody waits for ever.
    for (unsigned i = started; i < THREADS; i++) {
        pthread_barrier_wait(&load->barrier);
    }
    pthread_barrier_wait(&load->barrier);
    uint64_t start = sp_clock_now();
    for (unsigned i = 0; i < started; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    return sp_clock_now() - start;
}
