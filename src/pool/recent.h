// SPDX-License-Identifier: MIT
// The calls that have ended last. All of them are noted only while somebody asks for
// them; those that have failed and those that were slow are always kept, with what is
// to be said of them. Lock held.
#ifndef POOL_RECENT_H
#define POOL_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "pool/call.h"
#include "pool/store.h"

#define SP_RECENT_ROWS      4096u // a power of two
#define SP_RECENT_KEPT      128u  // likewise
#define SP_RECENT_TEXT      72u
#define SP_RECENT_TOOL_MOST 48u

struct sp_ended {
    uint64_t number;   // of its ring, from 1 on
    uint64_t call;     // 0: it was refused before it had one
    uint64_t worker;   // 0: it had none
    uint64_t ended_us; // CLOCK_REALTIME
    uint64_t waited_us;
    uint64_t ran_us;   // 0: it did not run, or that is not known
    uint16_t err;      // snakepit_err
    uint16_t executor; // or SP_EXECUTOR_NONE
    uint8_t retries;
    bool slow;
    uint8_t tool_size;
    uint8_t session_size;
    char text[SP_RECENT_TEXT]; // the tool's name, then the session's; both may be cut
};

struct sp_kept_call {
    struct sp_ended row;
    char error[256]; // "ValueError: no"; empty: it has not failed, or only its error is
                     // known
    char traceback[640]; // its end; empty: there is none
};

_Static_assert(sizeof(struct sp_ended) == 128, "two cache lines");
_Static_assert(sizeof(struct sp_kept_call) == 1024, "a call that failed takes no more");

struct sp_recent {
    uint64_t noted_ticks; // what takes as long is noted: the lesser of `slow_ticks` and
                          // `told_ticks`, or 0 with `rows`
    struct sp_ended *rows;     // a ring; NULL: nobody asks for them
    uint64_t count;            // that were ever in it
    uint64_t slow_ticks;       // what takes as long, in line and in the tool, is kept
    uint64_t told_ticks;       // what runs as long may be told; see pool/slow.h
    struct sp_kept_call *kept; // a ring
    uint64_t kept_count;
};

// NO_MEMORY.
snakepit_err sp_recent_init(struct sp_recent *recent);
void sp_recent_fini(struct sp_recent *recent);

// Notes all calls from now on, with `rows`, which it takes, or not, with NULL. Returns
// the rows that it had.
struct sp_ended *sp_recent_record(struct sp_recent *recent, struct sp_ended *rows);
// Has calls noted that run for so long.
void sp_recent_tell(struct sp_recent *recent, uint64_t ticks);

static inline bool sp_recent_is_slow(const struct sp_recent *recent,
                                     const struct sp_call *call)
{
    return call->ran_ticks + call->waited_ticks >= recent->slow_ticks;
}

// Whether the end of a call is to be noted.
static inline bool sp_recent_wants(const struct sp_recent *recent,
                                   const struct sp_call *call)
{
    return call->ran_ticks + call->waited_ticks >= recent->noted_ticks ||
           call->err != SNAKEPIT_OK;
}
// `err` is what a fault says that is not readable yet.
void sp_recent_note(struct sp_recent *recent,
                    const struct sp_store *store,
                    const struct sp_call *call,
                    snakepit_err err);
// The fault of a call that has failed is readable now.
void sp_recent_explain(struct sp_recent *recent, const struct sp_call *call);

// Copies the newest rows with a number above `after`, the oldest first, at most `room`.
// Returns how many.
size_t sp_recent_copy(const struct sp_recent *recent,
                      uint64_t after,
                      struct sp_ended *rows,
                      size_t room);
// The same of those that are kept.
size_t sp_recent_copy_kept(const struct sp_recent *recent,
                           uint64_t after,
                           struct sp_kept_call *rows,
                           size_t room);

#endif
