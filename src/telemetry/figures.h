// SPDX-License-Identifier: MIT
// What is told of a pool: the figures that telemetry/metrics.def has rows of.
#ifndef TELEMETRY_FIGURES_H
#define TELEMETRY_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/stats.h>

#include "telemetry/exemplars.h"
#include "telemetry/histogram.h"

// One member for each error; they are numbered from 0.
#define SP_ONE_ERROR(name, number, grpc, http, retryable, text) SP_ONE_OF_##name,
enum { SNAKEPIT_ERRORS(SP_ONE_ERROR) SP_ERRORS };
#undef SP_ONE_ERROR

// What stands for the tools that have no row of their own. Tools of Python do not begin
// with an underscore.
#define SP_OTHER_TOOLS "_other"

// Why a worker is replaced that nothing is wrong with.
enum sp_recycle {
    SP_RECYCLE_BY_HAND,
    SP_RECYCLE_BY_AGE,
    SP_RECYCLE_BY_REQUESTS,
    SP_RECYCLE_BY_MEMORY,
    SP_RECYCLE_BY_HEALTH,
    SP_RECYCLE_BY_RELOAD, // workers are to be made of something else
    SP_RECYCLE_BY_SWITCH, // of another profile
    SP_RECYCLES,
};

// How a worker ended that nobody had asked to leave.
enum sp_death {
    SP_DEATH_UNKNOWN,
    SP_DEATH_EXIT,
    SP_DEATH_SIGNAL,
    SP_DEATH_MEMORY,    // killed by the kernel for it, or maybe
    SP_DEATH_CALL,      // killed by us: a call was stuck, or took too much memory
    SP_DEATH_SILENT,    // by us: it did not answer
    SP_DEATH_VIOLATION, // by us: it broke the protocol
    SP_DEATH_STOPPED,   // by us: something else
    SP_DEATHS,
};

// What a worker does.
enum sp_workers_state {
    SP_WORKERS_STARTING,
    SP_WORKERS_READY,
    SP_WORKERS_DRAINING,
    SP_WORKERS_STOPPING, // also one that has ended, and whose memory is still read
    SP_WORKERS_BY_STATE,
};

// Its workers now.
struct sp_worker_lives {
    uint32_t lives[SP_WORKERS_BY_STATE];
    uint32_t forked;    // by a template
    uint32_t threads;   // of all of them; see snakepit_worker_info
    uint64_t oldest_ms; // since the oldest one was started; 0: there is none
    uint64_t median_ms;
};

// What its calls have carried, in bytes: MessagePack, but for the tensors.
struct sp_traffic {
    uint64_t arguments; // of calls that were admitted
    uint64_t tensors;   // of these
    uint64_t results;   // of calls that ended well
    uint64_t chunks;    // of streams, that were read,
    uint64_t pieces;    // and their number
};

// The calls of one tool.
struct sp_tool_figures {
    char name[256]; // clean; see base/text.h
    uint64_t ended[SP_ERRORS];
    uint64_t ran; // of these, those that gave an answer and were not streams
    uint64_t ran_ns;
};

struct sp_figures {
    snakepit_pool_stats stats;
    struct sp_histogram line;   // how long calls waited for a worker
    struct sp_histogram run;    // how long tools ran
    struct sp_exemplars traced; // calls of `run`
    struct sp_histogram
        handover; // how long calls were in a worker that had not begun them
    struct sp_histogram chunk; // how long streams took to their first chunk
    struct sp_histogram start; // how long workers took to start
    struct sp_traffic traffic;
    struct sp_worker_lives workers;
    uint64_t questions;       // that tools have asked their host
    uint64_t backed_bytes;    // of the memory of requests, by pages
    uint32_t busy;            // executors that run something
    uint32_t waited_most;     // calls in the line at once, ever
    uint32_t held_by_python;  // requests whose tensors it holds after their calls
    uint32_t held_by_program; // results in memory of their workers
    uint64_t deaths[SP_DEATHS];
    uint64_t recycles[SP_RECYCLES];
    struct sp_tool_figures *tools; // the owner's
    uint32_t tool_count;
};

// Why a session has ended.
enum sp_session_over {
    SP_SESSION_OVER_CLOSED,
    SP_SESSION_OVER_EXPIRED,
    SP_SESSION_OVER_ROOM,   // for another session
    SP_SESSION_OVER_MEMORY, // for another one's values
    SP_SESSION_OVERS,
};

// What is told of all sessions.
struct sp_session_figures {
    uint64_t open;
    uint64_t values;
    uint64_t bytes; // that these take
    uint64_t ended[SP_SESSION_OVERS];
};

// All that is told.
struct sp_all_figures {
    const struct sp_figures *pools;
    size_t count;
    struct sp_session_figures sessions;
};

#endif
