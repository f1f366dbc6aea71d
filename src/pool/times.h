// SPDX-License-Identifier: MIT
// How long calls wait. What is measured for other ends already is counted here, so a
// call that finds a free worker, and whose caller waits for it, does not read the clock
// for it. Lock held.
#ifndef POOL_TIMES_H
#define POOL_TIMES_H

#include "base/clock.h"
#include "pool/call.h"
#include "pool/trace.h"
#include "telemetry/exemplars.h"
#include "telemetry/histogram.h"

// A run that has ended and is not in the histograms yet.
struct sp_times_run {
    struct sp_histogram *tool; // NULL: there is none, or its call was a stream
    uint64_t handed_at;        // in sp_clock_ticks(); 0: that is not known
    uint64_t ticks;
    uint32_t until; // as in the slot
};

struct sp_times {
    uint64_t tick;            // its length in 2^-24 ns
    uint64_t most;            // ticks that can be told in ns: some minutes
    struct sp_histogram line; // until a call is handed to a worker, each time
    struct sp_histogram left; // until the time of one was up that still waited
    struct sp_histogram lost; // how long tools ran whose calls have no answer of them
    uint64_t streamed_ns;     // how long tools ran in streams, in all
    struct sp_histogram handover; // from then until it runs
    struct sp_histogram chunk;    // until the first chunk of a stream is read
    struct sp_histogram start;    // until a worker is ready
    struct sp_exemplars traced;   // calls that have run
    struct sp_times_run last;     // see sp_times_ran()
};

#define SP_TIMES_SHIFT 24u

static inline void sp_times_init(struct sp_times *times)
{
    times->tick = (SP_NS_PER_US << SP_TIMES_SHIFT) / sp_clock_ticks_per_us();
    times->most = UINT64_MAX / times->tick;
}

static inline uint64_t sp_times_ns(const struct sp_times *times, uint64_t ticks)
{
    ticks = ticks < times->most ? ticks : times->most;
    return ticks * times->tick >> SP_TIMES_SHIFT;
}

static inline void sp_times_add(const struct sp_times *times,
                                struct sp_histogram *histogram,
                                uint64_t ticks)
{
    sp_histogram_add(histogram, sp_times_ns(times, ticks));
}

// A worker has got it.
static inline void sp_times_placed(struct sp_times *times, struct sp_call *call)
{
    if (call->trace != NULL) {
        sp_call_trace_placed(call);
    }
    if (call->lined_at == 0) {
        times->line.counts[0]++;
        call->handed_at = call->reports ? sp_clock_ticks() : 0;
        return;
    }
    call->handed_at = sp_clock_ticks();
    const uint64_t waited = call->handed_at - call->lined_at;
    sp_times_add(times, &times->line, waited);
    call->waited_ticks += waited;
    call->lined_at = 0;
}

// Its time is up, and no worker has got it.
static inline void sp_times_left(struct sp_times *times, const struct sp_call *call)
{
    if (call->lined_at != 0) {
        sp_times_add(times, &times->left, sp_clock_ticks() - call->lined_at);
    }
}

// Its caller begins to wait for it, at that time: just after it was handed over.
static inline void sp_times_awaited(struct sp_call *call, uint64_t ticks)
{
    if (call->handed_at == 0) {
        call->handed_at = ticks;
    }
}

// Counts the last run, if it is not counted yet. To be called before the histograms of
// runs and handovers are read.
static inline void sp_times_count(struct sp_times *times)
{
    const struct sp_times_run *last = &times->last;
    // Its worker says until when it ran, by a clock of 32 bits, which starts over after
    // more than a minute. What makes no sense is no time at all.
    const uint64_t range = (uint64_t)SP_UNTIL_TICKS << 32;
    const uint64_t until = (uint64_t)last->until * SP_UNTIL_TICKS;
    const uint64_t before = (until - last->handed_at - last->ticks) & (range - 1);
    if (last->handed_at != 0) {
        sp_times_add(times, &times->handover, before < range / 2 ? before : 0);
    }
    if (last->tool != NULL) {
        sp_times_add(times, last->tool, last->ticks);
    }
    times->last = (struct sp_times_run){0};
}

// A call has run. It is counted later: a caller waits for the answer now, and while the
// next call runs there is time.
static inline void sp_times_ran(struct sp_times *times,
                                const struct sp_call *call,
                                const struct sp_port_answer *answer,
                                struct sp_histogram *tool)
{
    sp_times_count(times);
    times->last = (struct sp_times_run){
        .tool = tool,
        .handed_at = call->handed_at,
        .ticks = answer->ran_ticks,
        .until = answer->ran_until,
    };
}

#endif
