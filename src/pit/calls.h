// SPDX-License-Identifier: MIT
// What the doors ask about calls, beside what programs may.
#ifndef PIT_CALLS_H
#define PIT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

// Who is given calls.
struct sp_ended_taker {
    snakepit_ended_call_fn *take;
    void *user;
};

// How far somebody has followed the calls of a pool. Zeroed: they have not begun.
struct sp_calls_followed {
    uint64_t last; // that was told
    bool begun;
};

// Gives `take` the calls of a pool that have ended since, the oldest first, while they
// are recorded; see snakepit_calls_record(). Of more than `most` the newest. Returns
// how many were left out. Without memory there are none. Any thread.
size_t sp_pit_follow_calls(snakepit *pit,
                           const char *pool,
                           struct sp_calls_followed *followed,
                           size_t most,
                           const struct sp_ended_taker *taker);

// The pool of a call; NULL: it is none of the pit's. Lives as long as the pit. Any
// thread.
const char *sp_pit_pool_of_call(snakepit *pit, snakepit_call_id call);

#endif
