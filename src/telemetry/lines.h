// SPDX-License-Identifier: MIT
// The lines of Prometheus' text format 0.0.4, and of OpenMetrics 1.0, one by one.
#ifndef TELEMETRY_LINES_H
#define TELEMETRY_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"
#include "telemetry/exemplars.h"
#include "telemetry/histogram.h"

enum sp_metric_kind { SP_GAUGE, SP_COUNTER, SP_HISTOGRAM, SP_SUMMARY };

// Where lines go. Owner: whoever writes.
struct sp_lines {
    struct sp_buf *buf;
    bool open;        // as OpenMetrics
    snakepit_err err; // the first one: NO_MEMORY
};

// What a sample is called.
struct sp_sample {
    const char *family;
    const char *suffix; // "_total" of a counter; or ""
    const char *labels; // as sp_lines_label() makes them; or ""
    const char *label;  // one more; NULL: none
    const char *value;  // of that
};

// Begins a family. `name`: without the "_total" of a counter. `help` needs no escape.
void sp_lines_family(struct sp_lines *lines,
                     const char *name,
                     enum sp_metric_kind kind,
                     const char *help);
void sp_lines_count(struct sp_lines *lines,
                    const struct sp_sample *sample,
                    uint64_t count);
// A number that is told in units of 10^-`digits`, at most 9.
void sp_lines_decimal(struct sp_lines *lines,
                      const struct sp_sample *sample,
                      uint64_t number,
                      uint32_t digits);
// At which powers of two, in ns, a histogram has its limits: at `first`, at each
// `step`th behind it, and at `last`. SP_LIMITS_FIRST to SP_LIMITS_LAST.
struct sp_limits {
    uint32_t first;
    uint32_t step;
    uint32_t last;
};
#define SP_LIMITS_FIRST 10u // 1 us
#define SP_LIMITS_LAST  37u // 137 s

// A histogram of seconds. `sample` has its family and labels. Only OpenMetrics is told
// of calls that were `traced`; NULL: there are none.
void sp_lines_times(struct sp_lines *lines,
                    const struct sp_sample *sample,
                    const struct sp_limits *limits,
                    const struct sp_histogram *times,
                    const struct sp_exemplars *traced);

// Appends `name="value"`, behind a comma if there is something, and a zero behind it.
// What the format cannot have as it is is escaped. NO_MEMORY.
snakepit_err sp_lines_label(struct sp_buf *labels, const char *name, const char *value);

#endif
