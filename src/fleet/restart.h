// SPDX-License-Identifier: MIT
// What a pool does about a start that has failed: a function of what has happened so
// far and of the time. It starts, waits for and logs nothing itself.
//
// A pool that was ready once never gives up, since what kept it from working may pass.
// One that never was gives up where another start would end the same, or after `limit`
// failures in a row; not for want of what the machine may have again later.
#ifndef FLEET_RESTART_H
#define FLEET_RESTART_H

#include <stdbool.h>
#include <stdint.h>

struct sp_restart_rules {
    uint32_t limit;    // failures in a row that a pool without workers may wait for
    uint32_t pause_ms; // after the first of them; doubles with each
    uint32_t pause_most_ms; // the longest
};

// Plain data; zero at the beginning.
struct sp_restart {
    uint32_t failures;  // in a row
    uint64_t failed_at; // when they last rose; CLOCK_MONOTONIC ns
    bool ever_ready;    // a worker was ready once
};

enum sp_start_failure {
    SP_START_BROKE,    // it ended, or was not ready in time
    SP_START_HOPELESS, // the adapter's start raises, or there is no interpreter
    SP_START_STARVED,  // descriptors, memory or processes have run out
};

enum sp_restart_order {
    SP_RESTART_NOTHING, // it began together with one that was counted
    SP_RESTART_LATER,   // try again after the pause
    SP_RESTART_DOWN,    // the same, and refuse calls until then
    SP_RESTART_FAIL,    // give up
};

// A start that has failed.
struct sp_start {
    enum sp_start_failure failure;
    uint64_t began;    // CLOCK_MONOTONIC ns
    uint32_t ready;    // workers that take calls all the same
    uint32_t starting; // others, of which one may still be ready
};

struct sp_restart_verdict {
    enum sp_restart_order order;
    uint64_t pause_ms;
};

// Counts it; `now` is not before it began.
struct sp_restart_verdict sp_restart_failed(struct sp_restart *restart,
                                            const struct sp_restart_rules *rules,
                                            const struct sp_start *start,
                                            uint64_t now);
// A worker is ready.
void sp_restart_ready(struct sp_restart *restart);
// One has been of use, or could have been: what failed before is over.
void sp_restart_worked(struct sp_restart *restart);
// Whether the next starts are tried one by one.
bool sp_restart_is_careful(const struct sp_restart *restart);

#endif
