// SPDX-License-Identifier: MIT
// Which profile a pool with `adaptive_pooling` is to have: threads, which share one
// interpreter, while processors or memory run short; processes, which fail alone, while
// there is room. A function of what was seen and of the time: it has no clock, reads
// nothing and moves nobody.
//
// A pool stays in a profile for the minimum stay at least. At the end of the first stay
// after a move what it gained is measured: what gained nothing is undone, and not tried
// again for twice as long as the last time.
#ifndef FLEET_ADAPT_H
#define FLEET_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define SP_PROFILES 2u

// What a pool is in a profile. In both it runs as many calls at a time, or a few more
// where they cannot be divided.
struct sp_adapt_shape {
    struct sp_range workers;
    uint32_t threads; // of each
};

void sp_adapt_shape(const struct sp_pool_config *config,
                    enum sp_profile profile,
                    struct sp_adapt_shape *shape);

struct sp_adapt_rules {
    uint32_t cpu_usage;    // percent of the processors, by the pool's workers
    uint32_t memory_usage; // percent of the memory, by whoever uses it
    uint64_t stay_ns;
    uint32_t workers[SP_PROFILES]; // that the pool has at most in each profile
};

void sp_adapt_rules(const struct sp_pool_config *config, struct sp_adapt_rules *rules);

// What was seen of a pool since the last look.
struct sp_adapt_look {
    uint64_t cpu_ns;       // processor time that its workers have used
    uint64_t calls;        // that have ended
    bool waiting;          // calls wait in line
    uint64_t memory;       // bytes that all its workers use
    uint32_t cpu_percent;  // that there is of processors; a whole one is 100
    uint32_t memory_usage; // percent of `memory_most`
    uint64_t memory_most;  // bytes that there are
    bool whole;            // all workers serve that are to; else nothing can be said
    bool allowed;          // interpreter and adapter can run the other profile
};

// What was seen in a window of time.
struct sp_adapt_window {
    uint64_t wall_ns;
    uint64_t cpu_ns;
    uint64_t calls;
    uint64_t memory;       // at the end
    uint64_t memory_most;  // likewise
    uint32_t memory_usage; // percent, at the end
    uint32_t cpu_usage;    // percent
    bool waiting;          // calls have waited at every look
};

enum sp_adapt_reason {
    SP_ADAPT_FOR_CPU,    // to threads: the workers use most of the processors
    SP_ADAPT_FOR_MEMORY, // to threads: most of the memory is in use
    SP_ADAPT_FOR_ROOM,   // to processes: there is room for them
    SP_ADAPT_UNDO,       // back: the last move gained nothing
};

enum sp_adapt_order {
    SP_ADAPT_NOTHING,
    SP_ADAPT_MOVE, // to `profile`, for `reason`
    SP_ADAPT_KEEP, // the last move, which was for `reason`, has gained something
};

struct sp_adapt_verdict {
    enum sp_adapt_order order;
    enum sp_profile profile;
    enum sp_adapt_reason reason;
    struct sp_adapt_window before; // of KEEP and UNDO; else what led to the move
    struct sp_adapt_window after;  // of KEEP and UNDO
};

// Plain data. Times are CLOCK_MONOTONIC ns; 0 is none.
struct sp_adapt {
    enum sp_profile profile;
    bool moving;                      // a move was ordered, and has not ended
    bool on_trial;                    // what the last move gained was not measured yet
    bool undoing;                     // the move that was ordered undoes another one
    uint64_t since;                   // when the profile was settled on
    uint64_t wakes;                   // when to look next
    uint64_t looked;                  // when it was looked at last
    uint64_t calm;                    // since when there has been room
    uint64_t not_before[SP_PROFILES]; // a move to it is not tried earlier
    uint32_t vain[SP_PROFILES];       // moves to it in a row that gained nothing
    uint64_t growth; // bytes more that processes took than threads; 0: not known
    enum sp_adapt_reason reason;   // of the last move
    struct sp_adapt_window before; // the last move
    struct sp_adapt_window window; // that has begun
    uint64_t window_ends;
};

// A pool begins in a profile.
void sp_adapt_init(struct sp_adapt *adapt,
                   const struct sp_adapt_rules *rules,
                   enum sp_profile profile,
                   uint64_t now);
// What follows from what is seen now. To be asked at `wakes`.
struct sp_adapt_verdict sp_adapt_judge(struct sp_adapt *adapt,
                                       const struct sp_adapt_rules *rules,
                                       const struct sp_adapt_look *look,
                                       uint64_t now);
// The move is done.
void sp_adapt_moved(struct sp_adapt *adapt,
                    const struct sp_adapt_rules *rules,
                    uint64_t now);
// It could not be made, or did not last: the pool has this profile now.
void sp_adapt_failed(struct sp_adapt *adapt,
                     const struct sp_adapt_rules *rules,
                     enum sp_profile profile,
                     uint64_t now);

// By how many percent a call costs less in `after` than in `before`: time, where calls
// have always waited in both, so that the workers decided how many there were; else
// processor time. False: there were too few calls to say.
bool sp_adapt_compare(const struct sp_adapt_window *before,
                      const struct sp_adapt_window *after,
                      int64_t *less_percent);

#endif
