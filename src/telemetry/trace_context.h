// SPDX-License-Identifier: MIT
// Which trace a call belongs to, as W3C Trace Context says it:
//
//     traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//                     the trace                        the span         flags
//
// and `tracestate`, a text that is passed on as it came. Pure functions.
#ifndef TELEMETRY_TRACE_CONTEXT_H
#define TELEMETRY_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

#define SP_TRACEPARENT_SIZE 55u  // bytes of a traceparent
#define SP_TRACESTATE_MAX   512u // bytes of a tracestate that is passed on

#define SP_TRACE_SAMPLED 1u // flag: who calls records the trace
#define SP_TRACE_FLAGS   3u // those that are passed on

// Bytes alone: so it lies in the parcel of a call that belongs to a trace.
struct sp_trace_context {
    uint8_t trace[16]; // never all zero, but where there is no context
    uint8_t span[8];   // never all zero
    uint8_t flags;
};

// Whether there is a context. No span's id is zero.
static inline bool sp_trace_is_one(const struct sp_trace_context *context)
{
    uint64_t span;
    memcpy(&span, context->span, sizeof span);
    return span != 0;
}
// Whether a context that somebody else has made can be one.
static inline bool sp_trace_is_sound(const struct sp_trace_context *context)
{
    uint64_t trace[2];
    memcpy(trace, context->trace, sizeof trace);
    return (trace[0] | trace[1]) != 0 && sp_trace_is_one(context);
}
static inline bool sp_trace_is_sampled(const struct sp_trace_context *context)
{
    return (context->flags & SP_TRACE_SAMPLED) != 0;
}

// Reads a traceparent of this or, as far as it is like this one, of a later version.
// False: it is malformed, and `context` is unchanged.
bool sp_traceparent_read(struct sp_slice text, struct sp_trace_context *context);
// Writes one of version 00, without a zero.
void sp_traceparent_write(const struct sp_trace_context *context,
                          uint8_t text[SP_TRACEPARENT_SIZE]);
// Whether a tracestate may be passed on: printable, and no longer than the limit.
bool sp_tracestate_is_sound(struct sp_slice text);

// The span of 16 digits, not all zero. False: they are none, and `span` may be
// anything.
bool sp_span_read(struct sp_slice digits, uint8_t span[8]);

#endif
