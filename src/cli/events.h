// SPDX-License-Identifier: MIT
// Reads server-sent events from bytes as they come, split anywhere.
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/errors.h>

#include "base/slice.h"

#define SP_CLI_EVENT_NAME \
    32u // bytes of a name that is told apart, with a zero behind it

// What is called for each event: its name ("message" where it has none) and its data,
// borrowed. False: read no more.
typedef bool sp_cli_event_fn(void *user, const char *name, struct sp_slice data);

// Zeroed but for `limit`, `put` and `user` it is at the beginning. Owner: one thread.
struct sp_cli_events {
    size_t limit; // bytes of one event
    sp_cli_event_fn *put;
    void *user;

    struct sp_buf line; // that has begun
    struct sp_buf data; // of the event that has begun, an end of line behind each line
    char name[SP_CLI_EVENT_NAME];
    bool begun;    // what a byte order mark comes before
    bool carriage; // the last line ended with a CR, so an LF that comes next belongs to
                   // it
};

// Reads more. CANCELLED: `put` wants no more. MALFORMED: an event is longer than
// `limit`. NO_MEMORY. After a failure it must not be fed again.
snakepit_err sp_cli_events_feed(struct sp_cli_events *events, struct sp_slice bytes);
void sp_cli_events_fini(struct sp_cli_events *events);

#endif
