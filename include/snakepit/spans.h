// SPDX-License-Identifier: MIT
// Spans: what calls were made of, for tracing.
#ifndef SNAKEPIT_SPANS_H
#define SNAKEPIT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "payload.h"

#ifdef __cplusplus
extern "C" {
#endif

// With the numbers of OTLP.
typedef enum snakepit_span_kind {
    SNAKEPIT_SPAN_INTERNAL = 1,
    SNAKEPIT_SPAN_SERVER = 2 // of a call that a program has read from somewhere, see
                             // `begun_ns` in snakepit_call_options
} snakepit_span_kind;

typedef enum snakepit_attribute_kind {
    SNAKEPIT_ATTRIBUTE_TEXT = 0,
    SNAKEPIT_ATTRIBUTE_INTEGER,
    SNAKEPIT_ATTRIBUTE_REAL,
    SNAKEPIT_ATTRIBUTE_BOOLEAN
} snakepit_attribute_kind;

typedef struct snakepit_attribute {
    const char *key; // "rpc.method", by OpenTelemetry's conventions where it has one
    snakepit_attribute_kind kind;
    const char *text; // of TEXT; else NULL
    int64_t integer;  // of INTEGER, and 0 or 1 of BOOLEAN
    double real;      // of REAL
} snakepit_attribute;

// One span, which has ended.
typedef struct snakepit_trace_span {
    size_t size; // of the struct as the library knows it
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_span_id[8]; // all zero: it is the first of its trace
    const char *name;
    snakepit_span_kind kind;
    uint64_t start_ns; // nanoseconds since 1970
    uint64_t end_ns;
    snakepit_err err;       // how what it stands for ended
    const char *message;    // why it failed, or ""
    const char *tracestate; // of its trace, or ""
    const snakepit_attribute *attributes;
    size_t attribute_count;
} snakepit_trace_span;

// Receives spans that have ended, `count` of them, oldest first; all is borrowed.
// `dropped` were lost before, since they came faster than they were taken. Runs on a
// thread of the library that does nothing else, which only snakepit_close() waits for;
// it must call nothing of the library.
typedef void snakepit_spans_fn(void *user,
                               const snakepit_trace_span *const *spans,
                               size_t count,
                               uint64_t dropped) SNAKEPIT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
