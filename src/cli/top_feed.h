// SPDX-License-Identifier: MIT
// The connection that a daemon tells its changes by. Where it breaks it is made again,
// after a pause that grows.
#ifndef CLI_TOP_FEED_H
#define CLI_TOP_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/pending.h"
#include "cli/top_model.h"

// Zeroed but for the first two it is not connected, and becomes it in the next turn.
// Owner: the main thread.
struct sp_top_feed {
    struct sp_cli_remote *remote;
    uint32_t interval_ms;
    struct sp_top_model model;
    struct sp_cli_pending *pending; // NULL: there is no connection
    bool paused;                    // none is wanted
    uint64_t events;                // that have come
    uint64_t heard_ns;              // when the last one did; CLOCK_MONOTONIC
    bool looks_at_calls;            // those that wait are asked for, too
    struct sp_cli_pending *look;    // which is under way; NULL: none is
    uint64_t looked_ns;             // when it began
    uint64_t retry_ns;              // when it is tried again
    uint64_t pause_ns;              // before that
    snakepit_err broke;             // what the model made of the last event
    snakepit_message lost;          // why there is no connection; "": there is one
};

// Connects where that is due, and notices that the connection has broken. Gives whether
// it has just broken; then `result` says how, and is to be freed; see
// sp_cli_result_fini().
bool sp_top_feed_turn(struct sp_top_feed *feed, struct sp_cli_result *result);
// Pauses or goes on.
void sp_top_feed_pause(struct sp_top_feed *feed, bool paused);
// The daemon's clock; it stands still during a pause.
uint64_t sp_top_feed_now_ms(const struct sp_top_feed *feed);
void sp_top_feed_fini(struct sp_top_feed *feed);

// What a result says went wrong, for people.
const char *sp_top_failure(const struct sp_cli_result *result);

#endif
