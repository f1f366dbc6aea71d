// SPDX-License-Identifier: MIT
// Which session is tied to which worker of a pool. There are never more ties than
// `most`, but for those of calls that are under way: the one that was idle longest goes
// first. A tie that was idle for the time to live is as good as gone.
//
// Guarded by the pool's lock. Moments are CLOCK_MONOTONIC ns.
#ifndef POOL_TIES_H
#define POOL_TIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/names.h"

struct sp_seat;

struct sp_tie {
    struct sp_name name;
    struct sp_link idle;      // in ties->idle while `calls` is 0
    struct sp_link seat_link; // in seat->ties while `seat` is not NULL
    struct sp_seat *seat;     // NULL: not tied yet, or its worker is gone
    uint64_t expires;         // while idle
    uint32_t calls;           // that are under way
    bool lost;                // the worker is gone, and nobody was told yet
    bool ended;               // the session is over; goes with its last call
    char text[];
};

struct sp_ties {
    struct sp_names names;
    struct sp_link idle; // longest first
    uint32_t most;
    uint64_t ttl; // ns; 0: no tie expires
};

void sp_ties_init(struct sp_ties *ties,
                  uint32_t most,
                  uint64_t ttl,
                  const struct sp_hash_key *key);
// No call may be under way.
void sp_ties_fini(struct sp_ties *ties);

// The tie of a session, new if there is none; one more call is under way. NULL: no
// memory.
struct sp_tie *
sp_ties_take(struct sp_ties *ties, const char *session, uint32_t size, uint64_t now);
// A call has ended.
void sp_ties_put(struct sp_ties *ties, struct sp_tie *tie, uint64_t now);
// The session is over: its next call finds a new tie.
void sp_ties_end(struct sp_ties *ties, const char *session, uint32_t size);
// Whether calls of the session are under way.
bool sp_ties_are_busy(const struct sp_ties *ties, const char *session, uint32_t size);
// Ties to a seat instead of what was before; NULL: to none.
void sp_tie_to(struct sp_tie *tie, struct sp_seat *seat);

#endif
