// SPDX-License-Identifier: MIT
// What every part of the bench needs: clocks, samples, and a way out. Times are
// nanoseconds.
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"

// Prints a sentence and ends the program: a bench that saw a wrong answer has nothing
// to report.
_Noreturn void bench_fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

void bench_sleep(uint64_t nanoseconds);
uint64_t bench_ticks_per_us(void);

// Processor time of this process, and of another one that is alive.
uint64_t bench_cpu_here(void);
uint64_t bench_cpu_of(pid_t pid);

// The part of all cores, 0 to 1, that was busy during `nanoseconds` from now; NAN if
// unknown.
double bench_machine_busy(uint64_t nanoseconds);

// The durations of one measurement. Owner: one thread.
struct bench_samples {
    uint32_t *at;
    size_t count;
    size_t room; // what comes after is not kept
};

void bench_samples_init(struct bench_samples *samples, size_t room);
void bench_samples_fini(struct bench_samples *samples);

static inline void bench_samples_add(struct bench_samples *samples,
                                     uint64_t nanoseconds)
{
    if (samples->count < samples->room) {
        samples->at[samples->count++] =
            nanoseconds < UINT32_MAX ? (uint32_t)nanoseconds : UINT32_MAX;
    }
}

// The `part` quantile in microseconds; sorts the samples. NAN without any.
double bench_samples_quantile(struct bench_samples *samples, double part);

// Of `count` values, those that are NAN left out; NAN where none is left.
double bench_median(const double *values, size_t count);
double bench_least(const double *values, size_t count);
double bench_most(const double *values, size_t count);

#endif
