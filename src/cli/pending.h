// SPDX-License-Identifier: MIT
// Requests to a daemon that go on beside each other while something else is waited for,
// and streams of events that do not end.
#ifndef CLI_PENDING_H
#define CLI_PENDING_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/events.h"
#include "cli/remote.h"

// An order that is under way beside others.
struct sp_cli_pending;

// What a follower takes: each event of a stream (cli/events.h), as it comes.
struct sp_cli_follow {
    sp_cli_event_fn *put;
    void *user;
    size_t limit; // bytes of one event
};

// Begins; `order` is copied. `follow` NULL: there is one answer; else it is a stream of
// events, whose result has none of them. INVALID_ARGUMENT: a name cannot be one, and
// `why` says so. NO_MEMORY.
snakepit_err sp_cli_pending_begin(struct sp_cli_remote *remote,
                                  const struct sp_cli_order *order,
                                  const struct sp_cli_follow *follow,
                                  struct sp_cli_pending **pending,
                                  snakepit_message *why);
// See sp_cli_http_turn().
snakepit_err sp_cli_pending_turn(struct sp_cli_remote *remote, int fd, int wait_ms);
bool sp_cli_pending_is_done(const struct sp_cli_pending *pending);
// Gives the result, and frees it. One that is not done is given up: CANCELLED. A stream
// that has ended, however it did, is DAEMON_LOST where no error is told.
void sp_cli_pending_end(struct sp_cli_pending *pending, struct sp_cli_result *result);

#endif
