// SPDX-License-Identifier: MIT
// How often something took how long. Each power of two has sixteen classes of equal
// width, so a class is at most a sixteenth of its times wide, and its middle is within
// 3.2 % of each of them. Not thread-safe: it lies under a lock that is held anyway.
#ifndef TELEMETRY_HISTOGRAM_H
#define TELEMETRY_HISTOGRAM_H

#include <stdint.h>

// 256 ns to 137 s. What is below is in the first class, what is above in the last one.
#define SP_HISTOGRAM_FIRST   8u
#define SP_HISTOGRAM_POWERS  29u
#define SP_HISTOGRAM_PARTS   16u
#define SP_HISTOGRAM_CLASSES (1u + SP_HISTOGRAM_POWERS * SP_HISTOGRAM_PARTS + 1u)

struct sp_histogram {
    uint64_t sum_ns;
    uint64_t counts[SP_HISTOGRAM_CLASSES];
};

static inline uint32_t sp_histogram_class(uint64_t ns)
{
    if (ns < UINT64_C(1) << SP_HISTOGRAM_FIRST) {
        return 0;
    }
    uint32_t power = 63u - (uint32_t)__builtin_clzll(ns);
    if (power >= SP_HISTOGRAM_FIRST + SP_HISTOGRAM_POWERS) {
        return SP_HISTOGRAM_CLASSES - 1;
    }
    uint32_t part = (uint32_t)(ns >> (power - 4)) & (SP_HISTOGRAM_PARTS - 1);
    return 1 + (power - SP_HISTOGRAM_FIRST) * SP_HISTOGRAM_PARTS + part;
}

static inline void sp_histogram_add(struct sp_histogram *histogram, uint64_t ns)
{
    histogram->counts[sp_histogram_class(ns)]++;
    histogram->sum_ns += ns;
}

// Adds those of another one.
void sp_histogram_join(struct sp_histogram *histogram,
                       const struct sp_histogram *other);
// Takes those of an earlier state of the same one away.
void sp_histogram_take(struct sp_histogram *histogram,
                       const struct sp_histogram *earlier);
// Below which all times of a class are, in ns; UINT64_MAX: of the last one.
uint64_t sp_histogram_limit(uint32_t index);
// Of all classes.
uint64_t sp_histogram_count(const struct sp_histogram *histogram);
// How many were shorter than 2^`power` ns, which is the limit of a class.
uint64_t sp_histogram_below(const struct sp_histogram *histogram, uint32_t power);
// The time, in ns, that the part `share` (0 to 1) of all times does not exceed: the
// middle of its class. 0: there are none.
uint64_t sp_histogram_quantile(const struct sp_histogram *histogram, double share);

#endif
