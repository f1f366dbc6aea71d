// SPDX-License-Identifier: MIT
// What the log says of a pool that more is asked of than it can do. It is saturated
// from the moment at which a call waits since all its workers are busy, until no call
// has waited so for ten seconds: both are told, so a pool that is full all day is told
// once. That calls are refused is told a second after the first of them, with how many
// they are by then, and at most once in ten seconds. Lock held, unless it says
// otherwise.
#ifndef POOL_CROWD_H
#define POOL_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct sp_pool;

// Zeroed at the beginning. Guarded by the pool's lock.
struct sp_crowd {
    uint64_t saturated_at;    // CLOCK_MONOTONIC ns; 0: it is not
    uint64_t waited_at;       // when a call was last seen to wait so; likewise
    uint64_t refuses_told_at; // 0: never
    uint64_t refused;         // since that was told,
    uint64_t refused_at;      // and when the first of them was
    bool tells_waits;         // to be told when the lock is released
};

// What is to be told.
struct sp_crowd_news {
    bool waits;
    uint32_t workers;
    uint32_t capacity;
    uint32_t running;
    uint32_t waiting;
};

// A call has gone into the line.
void sp_crowd_note_wait(struct sp_pool *pool);
// A call was refused, since the line is full.
void sp_crowd_note_refusal(struct sp_pool *pool);
// Takes what is to be told.
struct sp_crowd_news sp_crowd_take(struct sp_pool *pool);
// Tells it. Lock not held.
void sp_crowd_tell(const struct sp_pool *pool, const struct sp_crowd_news *news);
// Tells that calls were refused, and that the pool is not saturated any more; to be
// called about once a second. Lock not held.
void sp_crowd_look(struct sp_pool *pool);

#endif
