// SPDX-License-Identifier: MIT
// Calls that end well are counted anyway, so what they bring back is worked out when an
// attempt fails: nothing else touches the tokens meanwhile, and no warm call does.
#include "pool/retry.h"

#include "base/chance.h"
#include "base/clock.h"

#define TOKEN 100u

void sp_retry_init(struct sp_retry *retry,
                   const struct sp_retry_terms *terms,
                   uint64_t chance)
{
    *retry = (struct sp_retry){
        .tokens = (uint64_t)terms->max_tokens * TOKEN,
        .chance = chance | 1,
    };
}

bool sp_retry_spend(struct sp_retry *retry,
                    const struct sp_retry_terms *terms,
                    uint64_t successes)
{
    uint64_t most = (uint64_t)terms->max_tokens * TOKEN;
    uint64_t tokens = retry->tokens + (successes - retry->seen) * terms->token_ratio;
    tokens = tokens < most ? tokens : most;
    retry->seen = successes;
    retry->tokens = tokens > TOKEN ? tokens - TOKEN : 0;
    return retry->tokens > most / 2;
}

uint64_t sp_retry_pause(struct sp_retry *retry,
                        const struct sp_retry_terms *terms,
                        uint32_t retries)
{
    uint64_t ms = terms->backoff_ms;
    for (uint32_t i = 0; i < retries && ms < terms->backoff_max_ms; i++) {
        ms *= 2;
    }
    ms = ms < terms->backoff_max_ms ? ms : terms->backoff_max_ms;
    uint64_t half = ms * SP_NS_PER_MS / 2;
    return half + sp_chance_draw(&retry->chance, half);
}
