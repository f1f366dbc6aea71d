// SPDX-License-Identifier: MIT
// What those who watch the pools are sent: all of it once, then what has changed. It is
// looked at once for all of them, and written once for all that may see the same and
// were sent the same before.
#ifndef API_FEED_H
#define API_FEED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "pit/calls.h"
#include "telemetry/histogram.h"

#define SP_FEED_GONE   512u  // pools and workers that are gone, and still told
#define SP_FEED_FRAMES 4u    // of one look
#define SP_FEED_CALLS  2048u // that have ended, a power of two
#define SP_FEED_TOLD   1024u // of these, in one event
#define SP_FEED_DEATHS 256u  // a power of two

// A pool or a worker, as JSON.
struct sp_feed_row {
    struct sp_buf text; // without its last brace, since a worker's age follows
    uint64_t changed;   // the look that found the text to be another one
    // Of a worker.
    uint64_t id;
    uint64_t born; // CLOCK_MONOTONIC ns
    struct sp_feed_run *runs;
    size_t run_count;
};

// What an executor runs. When it began is worked out anew each time, and may differ by
// one.
struct sp_feed_run {
    uint64_t call;
    uint64_t since_ms;
};

// How a pool did since its rates were made last.
struct sp_feed_rates {
    uint64_t since; // CLOCK_MONOTONIC ns; 0: never
    uint64_t calls; // until then
    uint64_t failures;
    struct sp_histogram line;
    struct sp_histogram run;
    double calls_per_second;
    double failures_per_second;
    double line_p50; // seconds; below 0: no call has
    double line_p99;
    double run_p50;
    double run_p99;
};

struct sp_feed_pool {
    const char *name; // lives as long as the pit
    bool present;
    uint64_t came; // the look that found it
    struct sp_feed_row row;
    struct sp_feed_row *workers;
    size_t worker_count;
    struct sp_feed_row *tools; // the first one is that of those without a row
    size_t tool_count;
    struct sp_feed_rates rates;
    struct sp_calls_followed followed;
    uint64_t ended;      // calls so far, also those that nobody noted
    uint64_t last_death; // its number
};

// A call that has ended.
struct sp_feed_call {
    uint64_t look;
    size_t pool;
    struct sp_buf text; // JSON without its last brace; empty: there was no memory
    size_t session_at;  // where the name of its session begins in there
};

struct sp_feed_gone {
    uint64_t look;   // that has missed it
    size_t pool;     // its place
    uint64_t worker; // 0: the pool itself
};

struct sp_feed_death {
    uint64_t look;
    size_t pool;
    struct sp_buf text; // JSON
};

// What was written of the last look.
struct sp_feed_frame {
    uint64_t after; // the look before whose changes it leaves out; 0: a snapshot
    struct sp_buf seen;
    struct sp_buf text; // an event
};

// Zeroed but for the first two: nobody has looked. Guarded by `lock`.
struct sp_feed {
    snakepit *pit;    // constant
    uint64_t started; // CLOCK_MONOTONIC ns, when the daemon was; constant
    pthread_mutex_t lock;
    uint32_t watchers;
    uint64_t look; // its number
    uint64_t looked_at;
    struct sp_feed_pool *pools; // each stays in its place
    size_t pool_count;
    struct sp_feed_gone gone[SP_FEED_GONE]; // by their number, modulo
    uint64_t gone_count;
    struct sp_feed_call *calls;                  // a ring; NULL: without memory
    uint64_t call_count;                         // that were ever in it
    struct sp_feed_death deaths[SP_FEED_DEATHS]; // a ring
    uint64_t death_count;
    struct sp_histogram line; // room for those of one pool
    struct sp_histogram run;
    struct sp_feed_frame frames[SP_FEED_FRAMES];
    uint32_t frame_count; // that were written of the last look
};

void sp_feed_init(struct sp_feed *feed, snakepit *pit);
void sp_feed_fini(struct sp_feed *feed);

// All that follows: lock held.

// Takes over the calls of a pool that have ended since the last look.
void sp_feed_follow(struct sp_feed *feed, struct sp_feed_pool *pool);
// And its workers that have.
snakepit_err sp_feed_follow_deaths(struct sp_feed *feed, struct sp_feed_pool *pool);
void sp_feed_forget_calls(struct sp_feed *feed);

// Takes over what the writer holds as a row, if it is something else than before.
// NO_MEMORY.
snakepit_err sp_feed_set_row(struct sp_feed *feed,
                             struct sp_feed_row *row,
                             const snakepit_writer *writer);
void sp_feed_free_rows(struct sp_feed_row *rows, size_t count);
// Looks at what became of the calls of each tool. NO_MEMORY.
snakepit_err sp_feed_look_at_tools(struct sp_feed *feed, struct sp_feed_pool *pool);
void sp_feed_forget_tools(struct sp_feed_pool *pool);

// Somebody watches from now on, or no longer. What is kept goes with the last one.
void sp_feed_join(struct sp_feed *feed);
void sp_feed_leave(struct sp_feed *feed);

// Looks at the pools, unless somebody has just done so. NO_MEMORY: some of what there
// is may be left out until the next time.
snakepit_err sp_feed_look(struct sp_feed *feed);

// What is told of a pool.
enum sp_feed_seen {
    SP_FEED_HIDDEN,   // nothing
    SP_FEED_SEEN,     // all but whose sessions its calls belong to
    SP_FEED_SESSIONS, // these as well
};
typedef enum sp_feed_seen sp_feed_seen_fn(const void *user, const char *pool);
// For each place of a pool, one byte: that.
snakepit_err sp_feed_choose(const struct sp_feed *feed,
                            sp_feed_seen_fn *seen,
                            const void *user,
                            struct sp_buf *chosen);

// What a client was sent last.
struct sp_feed_place {
    uint64_t look;  // 0: nothing
    uint64_t ended; // calls of the pools that it saw
};
// The event for a client that sees these pools, and what it will have been sent then.
// Borrowed until the next call. Empty: without memory.
struct sp_slice sp_feed_tell(struct sp_feed *feed,
                             const struct sp_feed_place *place,
                             const struct sp_buf *chosen,
                             struct sp_feed_place *next);

#endif
