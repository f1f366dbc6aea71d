// SPDX-License-Identifier: MIT
// What a pool had done some minutes ago, so that how it does now can be told from all
// that it has ever done.
#ifndef PIT_PAST_H
#define PIT_PAST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "telemetry/histogram.h"

#define SP_PAST_LOOKS    6u // a minute apart: the oldest is five minutes old, or six
#define SP_PAST_EVERY_MS UINT64_C(60000)

// All that it has done until then. Later minus earlier is what it did in between.
struct sp_past_look {
    uint64_t at_ms; // CLOCK_MONOTONIC
    uint64_t calls;
    uint64_t refused;             // since its line was full
    uint64_t failed;              // by their tools
    uint64_t late;                // their time was up while their tools ran
    uint64_t left;                // likewise, while they waited for a worker
    uint64_t killed;              // given up, and ended with their workers
    uint64_t deaths;              // of workers
    uint64_t failed_starts;       // likewise
    uint64_t recycled_for_memory; // likewise
    uint64_t lived_ms;            // all workers, times the calls that each runs at once
    uint64_t ran_ms;              // calls, those that still run with what they have run
    uint64_t cpu_ms;              // processor time of all workers
    struct sp_histogram line;     // how long calls waited for a worker, in vain as well
    struct sp_histogram run;      // how long tools ran, whatever became of their calls
};

struct sp_past {
    pthread_mutex_t lock; // guards the rest; nothing is locked inside it
    uint64_t count;       // that were ever noted
    struct sp_past_look looks[SP_PAST_LOOKS]; // a ring
};

// The pool begins.
void sp_past_init(struct sp_past *past, uint64_t now_ms);
void sp_past_fini(struct sp_past *past);
// Whether a minute is over, and another look is to be noted.
bool sp_past_is_due(struct sp_past *past, uint64_t now_ms);
void sp_past_note(struct sp_past *past, const struct sp_past_look *look);
// Turns what was done until now into what was done since the oldest look; its `at_ms`
// into how long that is.
void sp_past_since(struct sp_past *past, struct sp_past_look *now);

#endif
