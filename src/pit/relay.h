// SPDX-License-Identifier: MIT
// Calls that are submitted for a client: what their tools ask the host goes to it.
#ifndef PIT_RELAY_H
#define PIT_RELAY_H

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "pool/deferred.h"
#include "pool/window.h"

struct sp_pit_relayed {
    const char *tool;
    const snakepit_writer *args;
    const snakepit_call_options *options;
    snakepit_done_fn *done; // not of a stream
    sp_call_asks_fn *asks;  // what is for the sessions is answered here
    void *user;             // of both
    struct sp_loan *loan;   // of the memory that tensors of `args` lie in; NULL: none
};

// As snakepit_submit().
snakepit_err
sp_pit_relay(snakepit *pit, const struct sp_pit_relayed *call, snakepit_call_id *id);
// As snakepit_stream_open().
snakepit_err sp_pit_relay_stream(snakepit *pit,
                                 const struct sp_pit_relayed *call,
                                 snakepit_stream **stream);

// As sp_window_open(), for a pool by its name. UNKNOWN_POOL.
snakepit_err sp_pit_window_open(snakepit *pit,
                                const char *pool,
                                int fd,
                                struct sp_slice memory,
                                struct sp_window **window);

// Reports what ends soon, to a thread that has just submitted something and waits by
// the queue's descriptor otherwise: spins, where that has paid off lately, and for some
// microseconds at most. How many callbacks ran.
size_t sp_pit_linger(snakepit_queue *queue);

#endif
