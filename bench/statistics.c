// SPDX-License-Identifier: MIT
// Quantiles of samples, and medians of the few figures that rounds give.
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_VALUES 1000u

static int compare_samples(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void bench_samples_init(struct bench_samples *samples, size_t room)
{
    *samples =
        (struct bench_samples){.at = malloc(room * sizeof(uint32_t)), .room = room};
    if (samples->at == NULL) {
        bench_fatal("no memory for %zu samples", room);
    }
    // Page faults belong here, not into the calls that are measured.
    memset(samples->at, 1, room * sizeof(uint32_t));
}

void bench_samples_fini(struct bench_samples *samples)
{
    free(samples->at);
    *samples = (struct bench_samples){0};
}

double bench_samples_quantile(struct bench_samples *samples, double part)
{
    if (samples->count == 0) {
        return NAN;
    }
    qsort(samples->at, samples->count, sizeof(uint32_t), compare_samples);
    size_t place = (size_t)((double)(samples->count - 1) * part);
    return samples->at[place] / 1000.0;
}

// Copies those that are numbers, in order; returns how many.
static size_t sort_numbers(const double *values, size_t count, double *sorted)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < MOST_VALUES; i++) {
        if (!isnan(values[i])) {
            sorted[kept++] = values[i];
        }
    }
    qsort(sorted, kept, sizeof(double), compare_values);
    return kept;
}

double bench_median(const double *values, size_t count)
{
    double sorted[MOST_VALUES];
    size_t kept = sort_numbers(values, count, sorted);
    return kept == 0 ? NAN : (sorted[(kept - 1) / 2] + sorted[kept / 2]) / 2;
}

double bench_least(const double *values, size_t count)
{
    double sorted[MOST_VALUES];
    return sort_numbers(values, count, sorted) == 0 ? NAN : sorted[0];
}

double bench_most(const double *values, size_t count)
{
    double sorted[MOST_VALUES];
    size_t kept = sort_numbers(values, count, sorted);
    return kept == 0 ? NAN : sorted[kept - 1];
}
