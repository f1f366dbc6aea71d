// SPDX-License-Identifier: MIT
// One event: from bytes to a snakepit_event, and to whoever wants to know of it. On the
// way from its worker it is a MessagePack array:
//
//   [name, call, session id, correlation id, nanoseconds since 1970, measurements,
//   metadata]
//
// with texts of at most SP_EVENT_TEXT_MAX bytes and two maps. In a call that belongs to
// a trace two more texts follow: the traceparent of the span that it belongs to, and
// the 16 digits of that one's parent if the event is the end of a span, else nothing.
#ifndef PROCESS_EVENT_H
#define PROCESS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "base/slice.h"
#include "ipc/events.h"
#include "telemetry/spans.h"

#define SP_EVENT_TEXT_MAX 255u

// Where events go. Constant.
struct sp_event_sink {
    snakepit_event_fn *event; // NULL: to the log
    void *user;
    const struct sp_log *log;
    struct sp_spans *spans;  // where spans go as well; NULL: nowhere
    snakepit_event_fn *also; // gets events besides; NULL: nobody does
    void *also_user;
};

// Whether anybody sees them there.
bool sp_event_sink_wants(const struct sp_event_sink *sink);

// An event with its texts. `bytes` are borrowed.
struct sp_event {
    snakepit_event told;
    struct sp_trace_context trace; // all zero: it belongs to none
    uint8_t parent[8];             // of the span that it ends
    bool ends_span;
    char name[SP_EVENT_TEXT_MAX + 1];
    char session[SP_EVENT_TEXT_MAX + 1];
    char correlation[SP_EVENT_TEXT_MAX + 1];
};

// Reads all but pool, worker and what was dropped. PROTOCOL: it is not an event.
snakepit_err sp_event_parse(struct sp_event *event, const uint8_t *bytes, size_t size);

// The span that the event ends, if it ends one that is traced.
void sp_event_tell_span(const struct sp_event_sink *sink, const struct sp_event *event);
// Hands it to the program, or to the log.
void sp_event_tell(const struct sp_event_sink *sink, const snakepit_event *event);

#endif
