// SPDX-License-Identifier: MIT
// Circuit breakers: a tool of which many calls fail gets none for a while, then a
// single one, the *probe*, which decides. One breaker for each tool that has failed.
//
// Rules alone: no clock and no call. Guarded by the pool's lock. Moments are
// CLOCK_MONOTONIC ns.
#ifndef POOL_BREAKER_H
#define POOL_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/list.h"
#include "base/names.h"
#include "base/slice.h"

#define SP_ERROR_BIT(err) (UINT32_C(1) << (unsigned)(err))

struct sp_breaker_terms {
    uint32_t failures;  // that open a breaker; 0: none ever opens
    uint32_t window_ms; // in which they happen
    uint32_t open_ms;
    uint32_t on; // which errors are failures: SP_ERROR_BIT() of each
};

enum sp_breaker_state {
    SP_BREAKER_CLOSED,    // calls go ahead
    SP_BREAKER_OPEN,      // none does
    SP_BREAKER_HALF_OPEN, // the probe is under way, or the next call is it
};

struct sp_breaker {
    struct sp_name name; // the tool's
    struct sp_link link; // in breakers->all
    enum sp_breaker_state state;
    bool probing;          // the probe is under way
    uint64_t open_until;   // while open
    uint64_t closed_after; // the call that had come last by then; see sp_attempt
    uint32_t count;        // of `failed`
    uint32_t next;         // where the next one goes
    uint64_t failed[];     // when calls failed, a ring of terms.failures; then the name
};

struct sp_breakers {
    struct sp_breaker_terms terms; // constant
    struct sp_names names;
    struct sp_link all; // the one that failed last at the end
    uint32_t tripped;   // that are not closed
    uint64_t marks;     // of the tools of these
};

void sp_breakers_init(struct sp_breakers *breakers,
                      const struct sp_breaker_terms *terms,
                      const struct sp_hash_key *key);
void sp_breakers_fini(struct sp_breakers *breakers);

// One of 64 bits, which tells most names apart.
static inline uint64_t sp_breaker_mark(struct sp_slice tool)
{
    return UINT64_C(1) << sp_name_guess((const char *)tool.data, tool.size);
}
// False: the breaker of the tool is closed, as most are. So one that is open costs
// calls of other tools next to nothing.
static inline bool sp_breakers_concern(const struct sp_breakers *breakers,
                                       struct sp_slice tool)
{
    return (breakers->marks & sp_breaker_mark(tool)) != 0;
}

enum sp_passage {
    SP_PASSAGE_FREE,
    SP_PASSAGE_AS_PROBE, // its end must be told
    SP_PASSAGE_REFUSED,
};
// Whether a call of a tool goes ahead. `*again_at`: when one may, if this one must not.
enum sp_passage sp_breakers_pass(struct sp_breakers *breakers,
                                 struct sp_slice tool,
                                 uint64_t now,
                                 uint64_t *again_at);

// How an attempt to run a call has ended.
enum sp_attempt_end {
    SP_ATTEMPT_SUCCEEDED, // the tool is well
    SP_ATTEMPT_FAILED,
    SP_ATTEMPT_UNDECIDED, // it says nothing of the tool
};
// Calls are numbered as they come. Of those that came before a breaker closed nothing
// is heard any more, however long they run.
struct sp_attempt {
    enum sp_attempt_end end;
    bool probe;
    uint64_t call;   // its number
    uint64_t newest; // that of the call that came last
};
// Whether the breaker of the tool is another one's after that.
enum sp_breaker_turn {
    SP_BREAKER_STAYS,
    SP_BREAKER_OPENS,
    SP_BREAKER_CLOSES,
};
// Counts the end of an attempt, unless its breaker is open. Without memory for a first
// failure it is forgotten.
enum sp_breaker_turn sp_breakers_note(struct sp_breakers *breakers,
                                      struct sp_slice tool,
                                      const struct sp_attempt *attempt,
                                      uint64_t now);
// Whether one more failure would open the breaker of the tool, or it is open.
bool sp_breakers_near(const struct sp_breakers *breakers,
                      struct sp_slice tool,
                      uint64_t now);

// What there is to say of one.
enum sp_breaker_state sp_breaker_state(const struct sp_breaker *breaker, uint64_t now);
uint32_t sp_breaker_failures(const struct sp_breakers *breakers,
                             const struct sp_breaker *breaker,
                             uint64_t now);
// Nanoseconds until it lets a call through; 0: it does now.
uint64_t sp_breaker_wait(const struct sp_breaker *breaker, uint64_t now);

#endif
