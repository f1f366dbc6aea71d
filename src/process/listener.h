// SPDX-License-Identifier: MIT
// Receives what the workers of a pit report, and hands it on. All of it is done on the
// loop that also watches the workers, so it takes little time at once and at most a
// fifth of the loop's time in all, however much they report and however slow the
// receiver is. Workers take turns. Owner of everything: the loop, except where a
// comment says otherwise.
#ifndef PROCESS_LISTENER_H
#define PROCESS_LISTENER_H

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "process/event.h"

// One worker's events.
struct sp_events {
    const char *pool; // borrowed
    uint64_t worker;
    struct sp_events_reader reader;
    // What it wrote makes no sense; nothing of it is read any more.
    void (*refused)(struct sp_events *events);
    struct sp_link link; // of the listener, while there may be something to read
};

struct sp_listener {
    struct sp_event_sink sink; // constant
    struct sp_loop *loop;
    struct sp_timer timer;
    struct sp_link speaking;    // those that are looked at
    uint64_t rest_until;        // CLOCK_MONOTONIC ns
    uint8_t copy[SP_EVENT_MAX]; // of the event that is handed on
};

// On the loop's thread, or before it runs.
void sp_listener_init(struct sp_listener *listener,
                      struct sp_loop *loop,
                      const struct sp_event_sink *sink);
// When all workers are gone.
void sp_listener_close(struct sp_listener *listener);

// The worker says that there is something to read.
void sp_listener_notice(struct sp_listener *listener, struct sp_events *events);
// The worker has left: hands on what it has said before, as far as there is time.
void sp_listener_part(struct sp_listener *listener, struct sp_events *events);

#endif
