// SPDX-License-Identifier: MIT
// What a call that is traced keeps of its way, and the spans that it becomes: the call,
// its time in line, each run of its tool, and what was read of its stream. A call that
// is not has NULL, and pays for looking at that.
#ifndef POOL_TRACE_H
#define POOL_TRACE_H

#include "port/port.h"
#include "telemetry/spans.h"

struct sp_call;
struct sp_order;

// Times are in nanoseconds since 1970; 0: it has not come so far.
struct sp_call_trace {
    struct sp_spans *spans;
    struct sp_trace_context call; // the span of the call
    uint8_t parent[8];            // all zero: it is the first
    uint8_t run[8]; // the span of the run that comes next, or is under way
    snakepit_span_kind kind;
    uint64_t begun;
    uint64_t lined;  // since when it waits in line
    uint64_t placed; // when a worker got it
    uint64_t chunk;  // when its first chunk was read
    uint64_t read;   // and its last one
    uint64_t chunks;
    uint64_t ended;
    uint64_t id;     // of the call
    uint64_t worker; // that it ran on, or 0
    char *tool;      // terminated; the session and the tracestate follow
    char *session;
    char *tracestate;
    char texts[];
};

// Begins the trace of a call whose request has one that is recorded. `within` is what
// its tool is to see. False: no memory, and it goes on without.
bool sp_call_trace_begin(struct sp_call *call,
                         const struct sp_order *order,
                         struct sp_trace_context *within);
void sp_call_trace_free(struct sp_call *call);

// Lock held, of a call that has a trace. A worker has got it; its answer was taken; an
// attempt has failed, and another one follows; it has ended.
void sp_call_trace_placed(struct sp_call *call);
void sp_call_trace_ran(struct sp_call *call, const struct sp_port_answer *answer);
void sp_call_trace_again(struct sp_call *call, snakepit_err err);
void sp_call_trace_ended(struct sp_call *call);
// A chunk was read. Owner: the stream's reader.
void sp_call_trace_chunk(struct sp_call *call);

// Hands its spans on, once: the call has ended, and is the caller's. No lock.
void sp_call_trace_tell(struct sp_call *call);

#endif
