// SPDX-License-Identifier: MIT
// Calls from many threads, synchronous and submitted, each answer checked against its
// question and each outcome counted once. It judges the library only by what a program
// can see.
#ifndef SUPPORT_LOAD_H
#define SUPPORT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#define LOAD_ERRS 32

struct load_options {
    snakepit *pit;
    uint32_t sync_threads;
    uint32_t async_threads;
    uint32_t window;      // calls that one asynchronous thread has under way
    uint32_t timeout_ms;  // of every call
    uint32_t late_ms;     // a call that ends so much after its deadline is late
    bool computes;        // also call `add` and `process_text`; else only `echo`
    bool idempotent;      // every other call is marked so: the pool may send it again
    bool streams;         // half of the synchronous calls are streams without chunks
    bool cancels;         // now and then cancel a submitted call
    const char *cause;    // of every death, where not NULL; "died; ..." is right, too
    uint64_t last_mortal; // where not 0, workers of a higher id must not die
};

// What came of it. Plain data.
struct load_counts {
    uint64_t started;
    uint64_t ended;
    uint64_t wrong; // OK, but not the answer to this question
    uint64_t late;
    uint64_t twice;     // callbacks too many
    uint64_t lost;      // callbacks that never came
    uint64_t untyped;   // no answer object, or a fault that contradicts the outcome
    uint64_t misjudged; // deaths with another cause, or of another worker
    uint64_t worst_us;  // the longest call
    uint64_t by_err[LOAD_ERRS];
};

struct load;

// A snakepit_log_fn that tells nobody.
void load_no_log(void *user,
                 snakepit_log_level level,
                 const char *event,
                 const char *line);

// NULL: no memory or no threads.
struct load *load_start(const struct load_options *options);
// What has been counted so far.
struct load_counts load_look(struct load *load);
// Asks the threads to start no more calls. They end what they have begun.
void load_ask_to_stop(struct load *load);
// Stops, waits for every call that was begun, frees.
struct load_counts load_stop(struct load *load);
// What is wrong with that, as the name of a counter: each call has ended once, in time,
// with the right answer or because its worker has died or was lost. NULL: nothing.
const char *load_fault(const struct load_counts *counts);
void load_print(const char *name, const struct load_counts *counts);

#endif
