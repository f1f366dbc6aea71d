// SPDX-License-Identifier: MIT
// Whether an attempt that has failed may be followed by another one, as far as the
// pool's load decides that, and after which pause.
//
// The budget is gRPC's retry throttling: a failed attempt costs a token, a call that
// ends well brings a part of one back, and nothing is sent again while half of them or
// more are gone. So a burst of deaths does not multiply the load.
//
// Rules alone: no clock and no call. Guarded by the pool's lock.
#ifndef POOL_RETRY_H
#define POOL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct sp_retry_terms {
    uint32_t max_attempts; // of a call, the first one included
    uint32_t backoff_ms;
    uint32_t backoff_max_ms;
    uint32_t max_tokens;
    uint32_t token_ratio; // percent of a token
    uint32_t on;          // after which errors: SP_ERROR_BIT() of each; 0: after none
};

struct sp_retry {
    uint64_t tokens; // in hundredths
    uint64_t seen;   // calls that had ended well when they were counted
    uint64_t chance; // of the random numbers; never 0
};

void sp_retry_init(struct sp_retry *retry,
                   const struct sp_retry_terms *terms,
                   uint64_t chance);
// An attempt has failed. `successes`: calls of the pool that have ended well so far.
// Whether the budget allows another attempt.
bool sp_retry_spend(struct sp_retry *retry,
                    const struct sp_retry_terms *terms,
                    uint64_t successes);
// How long to wait before the next attempt, in nanoseconds: between a half and the
// whole of `backoff_ms`, which doubles with each of the `retries` there were.
uint64_t sp_retry_pause(struct sp_retry *retry,
                        const struct sp_retry_terms *terms,
                        uint32_t retries);

#endif
