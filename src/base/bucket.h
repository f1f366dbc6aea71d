// SPDX-License-Identifier: MIT
// A budget that fills up again by itself: so much at once, so much a second. The unit
// is the owner's: lines, messages, nanoseconds of work. Time is handed in.
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

// Plain data. Owner: whoever embeds it; no lock.
struct sp_bucket {
    int64_t most;     // what it holds when it is full
    int64_t a_second; // what comes in
    int64_t level;    // below zero: debts
    uint64_t at;      // CLOCK_MONOTONIC ns of the level
};

// A full one.
void sp_bucket_init(struct sp_bucket *bucket,
                    int64_t most,
                    int64_t a_second,
                    uint64_t now);

// Takes `amount` if it is there.
bool sp_bucket_take(struct sp_bucket *bucket, int64_t amount, uint64_t now);

// Takes `amount`, which was spent already. Nanoseconds until the debt that this leaves
// is paid; 0: there is none.
uint64_t sp_bucket_spend(struct sp_bucket *bucket, int64_t amount, uint64_t now);

#endif
