// SPDX-License-Identifier: MIT
// How long calls wait. What is measured for other ends already is counted here, so a
// call that finds a free worker does not read the clock for it. Lock held.
#ifndef POOL_TIMES_H
#define POOL_TIMES_H

#include "base/clock.h"
#include "pool/call.h"
#include "pool/trace.h"
#include "telemetry/histogram.h"

struct sp_times {
    uint64_t tick;             // its length in 2^-24 ns
    uint64_t most;             // ticks that can be told in ns: some minutes
    struct sp_histogram line;  // until a call is handed to a worker, each time
    struct sp_histogram start; // until a worker is ready
};

#define SP_TIMES_SHIFT 24u

static inline void sp_times_init(struct sp_times *times)
{
    times->tick = (SP_NS_PER_US << SP_TIMES_SHIFT) / sp_clock_ticks_per_us();
    times->most = UINT64_MAX / times->tick;
}

static inline void sp_times_add(const struct sp_times *times,
                                struct sp_histogram *histogram,
                                uint64_t ticks)
{
    ticks = ticks < times->most ? ticks : times->most;
    sp_histogram_add(histogram, ticks * times->tick >> SP_TIMES_SHIFT);
}

// A worker has got it.
static inline void sp_times_placed(struct sp_times *times, struct sp_call *call)
{
    if (call->trace != NULL) {
        sp_call_trace_placed(call);
    }
    if (call->lined_at == 0) {
        times->line.counts[0]++;
        return;
    }
    const uint64_t waited = sp_clock_ticks() - call->lined_at;
    sp_times_add(times, &times->line, waited);
    call->waited_ticks += waited;
    call->lined_at = 0;
}

#endif
