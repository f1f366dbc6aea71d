// SPDX-License-Identifier: MIT
#include "telemetry/histogram.h"

uint64_t sp_histogram_limit(uint32_t index)
{
    if (index == 0) {
        return UINT64_C(1) << SP_HISTOGRAM_FIRST;
    }
    if (index >= SP_HISTOGRAM_CLASSES - 1) {
        return UINT64_MAX;
    }
    uint32_t power = SP_HISTOGRAM_FIRST + (index - 1) / SP_HISTOGRAM_PARTS;
    uint64_t part = (index - 1) % SP_HISTOGRAM_PARTS;
    return (SP_HISTOGRAM_PARTS + part + 1) << (power - 4);
}

void sp_histogram_join(struct sp_histogram *histogram, const struct sp_histogram *other)
{
    histogram->sum_ns += other->sum_ns;
    for (uint32_t i = 0; i < SP_HISTOGRAM_CLASSES; i++) {
        histogram->counts[i] += other->counts[i];
    }
}

void sp_histogram_take(struct sp_histogram *histogram,
                       const struct sp_histogram *earlier)
{
    histogram->sum_ns -= earlier->sum_ns;
    for (uint32_t i = 0; i < SP_HISTOGRAM_CLASSES; i++) {
        histogram->counts[i] -= earlier->counts[i];
    }
}

uint64_t sp_histogram_count(const struct sp_histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < SP_HISTOGRAM_CLASSES; i++) {
        count += histogram->counts[i];
    }
    return count;
}

uint64_t sp_histogram_below(const struct sp_histogram *histogram, uint32_t power)
{
    const uint32_t classes = 1 + (power - SP_HISTOGRAM_FIRST) * SP_HISTOGRAM_PARTS;
    uint64_t count = 0;
    for (uint32_t i = 0; i < classes; i++) {
        count += histogram->counts[i];
    }
    return count;
}

static uint64_t middle(uint32_t index)
{
    const uint64_t below = index == 0 ? 0 : sp_histogram_limit(index - 1);
    const uint64_t limit = sp_histogram_limit(index);
    return limit == UINT64_MAX ? below : below + (limit - below) / 2;
}

uint64_t sp_histogram_quantile(const struct sp_histogram *histogram, double share)
{
    const uint64_t count = sp_histogram_count(histogram);
    const double wanted = share * (double)count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < SP_HISTOGRAM_CLASSES; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            return middle(i);
        }
    }
    return 0;
}
