// SPDX-License-Identifier: MIT
// Spans and metrics as OpenTelemetry's protocol (OTLP) has them, in protobuf. Pure
// functions.
#ifndef OTLP_OTLP_H
#define OTLP_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/spans.h>

#include "base/slice.h"

#define SP_OTLP_RESOURCE_MOST 64u // attributes of the resource

// Who tells: what stands in OTEL_RESOURCE_ATTRIBUTES and the like. Texts are borrowed.
struct sp_otlp_teller {
    struct {
        struct sp_slice key;
        struct sp_slice value;
    } attributes[SP_OTLP_RESOURCE_MOST];
    size_t count;
};

// Replaces one, or adds it where there is room.
void sp_otlp_teller_set(struct sp_otlp_teller *teller,
                        struct sp_slice key,
                        struct sp_slice value);

// Appends an ExportTraceServiceRequest. NO_MEMORY.
snakepit_err sp_otlp_write_spans(const struct sp_otlp_teller *teller,
                                 const snakepit_trace_span *const *spans,
                                 size_t count,
                                 struct sp_buf *out);

// When what is counted began, and when it was read: nanoseconds since 1970.
struct sp_otlp_times {
    uint64_t start_ns;
    uint64_t now_ns;
};

// Appends an ExportMetricsServiceRequest of figures in the text format 0.0.4 of
// Prometheus, as snakepit_metrics() writes them. NO_MEMORY; MALFORMED: it is another
// text.
snakepit_err sp_otlp_write_metrics(const struct sp_otlp_teller *teller,
                                   struct sp_slice text,
                                   struct sp_otlp_times times,
                                   struct sp_buf *out);

#define SP_OTLP_BECAUSE_SIZE 256u

// What a collector has not taken of a request that it has accepted.
struct sp_otlp_rejected {
    uint64_t count;                     // spans, or points; may be 0
    char because[SP_OTLP_BECAUSE_SIZE]; // its words, as one line, cut; or ""
};

// Reads its answer. False: it has taken all of it and says nothing, or the answer is
// another message; `rejected` is empty then.
bool sp_otlp_read_answer(struct sp_slice answer, struct sp_otlp_rejected *rejected);

#endif
