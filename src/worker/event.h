// SPDX-License-Identifier: MIT
// Events of one worker, from the shared memory to whoever wants to know of them. On the
// way an event is a MessagePack array:
//
//   [name, call, session id, correlation id, nanoseconds since 1970, measurements,
//   metadata]
//
// with texts of at most SP_EVENT_TEXT_MAX bytes and two maps at the end.
#ifndef WORKER_EVENT_H
#define WORKER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "base/slice.h"
#include "ipc/events.h"

#define SP_EVENT_TEXT_MAX 255u

// Where events go. Constant.
struct sp_event_sink {
    snakepit_event_fn *event; // NULL: to the log
    void *user;
    const struct sp_log *log;
};

// Whether anybody sees them there.
bool sp_event_sink_wants(const struct sp_event_sink *sink);

// Owner: the loop.
struct sp_events {
    const struct sp_event_sink *sink;
    const char *pool; // borrowed
    uint64_t worker;
    struct sp_events_reader reader;
};

// An event with its texts. `bytes` are borrowed.
struct sp_event {
    snakepit_event told;
    char name[SP_EVENT_TEXT_MAX + 1];
    char session[SP_EVENT_TEXT_MAX + 1];
    char correlation[SP_EVENT_TEXT_MAX + 1];
};

// Reads all but pool, worker and what was dropped. PROTOCOL: it is no event.
snakepit_err sp_event_parse(struct sp_event *event, const uint8_t *bytes, size_t size);

// Hands on what is there now, at most as much as the shared memory holds. `*some`:
// there was something. PROTOCOL: what the worker wrote makes no sense.
snakepit_err sp_events_hand_on(struct sp_events *events, bool *some);

#endif
