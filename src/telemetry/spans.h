// SPDX-License-Identifier: MIT
// Spans that have ended, on their way to the program: a bounded list, and the thread
// that hands them on in batches. Any thread may end one; it never waits.
#ifndef TELEMETRY_SPANS_H
#define TELEMETRY_SPANS_H

#include <snakepit/spans.h>

#include "base/list.h"
#include "base/slice.h"
#include "telemetry/trace_context.h"

#define SP_SPANS_MOST      2048u // that wait
#define SP_SPANS_BATCH     512u  // that are handed on at once
#define SP_SPANS_DELAY_MS  1000u // that the first of a batch waits for others
#define SP_SPAN_ATTRIBUTES 16u   // of one span; more are left out
#define SP_SPAN_TEXTS_MOST 4096u // bytes of all texts of one span; likewise

struct sp_spans;

// One that is being made. Owner: whoever makes it, then the list.
struct sp_span {
    struct sp_link link;
    snakepit_trace_span told; // its texts are set when it is ended
    snakepit_attribute attributes[SP_SPAN_ATTRIBUTES];
    size_t key_at[SP_SPAN_ATTRIBUTES]; // in `texts`
    size_t text_at[SP_SPAN_ATTRIBUTES];
    size_t name_at;
    size_t message_at;
    size_t tracestate_at;
    struct sp_buf texts;
};

// `sample` is the part of the traces that begin here that is recorded, 0 to 1.
// NO_MEMORY, SYSTEM: no thread.
snakepit_err sp_spans_open(snakepit_spans_fn *function,
                           void *user,
                           double sample,
                           struct sp_spans **spans);
// Hands on what is left and ends. Nobody else may use it any more. NULL is fine.
void sp_spans_close(struct sp_spans *spans);
void sp_spans_set_sample(struct sp_spans *spans, double sample);
// Whether a trace that begins now is recorded.
bool sp_spans_sample(struct sp_spans *spans);

// Nanoseconds since 1970.
uint64_t sp_spans_now(void);

// A trace that begins: random ids, sampled.
void sp_trace_begin(struct sp_trace_context *context);
// A random id of a span.
void sp_trace_new_span(uint8_t span[8]);

// A span of `context` below `parent` (NULL: it is the first). NULL: no memory; the
// functions below then do nothing.
struct sp_span *sp_span_new(const struct sp_trace_context *context,
                            const uint8_t parent[8]);
// Its start, and its end, are now.
void sp_span_begin_now(struct sp_span *span);
void sp_span_end_now(struct sp_span *span);
void sp_span_set_name(struct sp_span *span, struct sp_slice name);
void sp_span_set_message(struct sp_span *span, const char *message);
void sp_span_set_tracestate(struct sp_span *span, struct sp_slice state);
void sp_span_add_text(struct sp_span *span, const char *key, struct sp_slice text);
void sp_span_add_integer(struct sp_span *span, const char *key, int64_t integer);
void sp_span_add_real(struct sp_span *span, const char *key, double real);
void sp_span_add_boolean(struct sp_span *span, const char *key, bool boolean);
// Takes it; one that finds no room is dropped, and counted.
void sp_span_end(struct sp_spans *spans, struct sp_span *span);

#endif
