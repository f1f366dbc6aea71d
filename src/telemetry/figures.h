// SPDX-License-Identifier: MIT
// What is told of a pool: the figures that telemetry/metrics.def has rows of.
#ifndef TELEMETRY_FIGURES_H
#define TELEMETRY_FIGURES_H

#include <stdint.h>

#include <snakepit/stats.h>

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

// The calls of one tool.
struct sp_tool_figures {
    char name[256]; // clean; see base/text.h
    uint64_t ended[SP_ERRORS];
    uint64_t ran; // of these, those that gave an answer and were not streams
    uint64_t ran_ns;
};

struct sp_figures {
    snakepit_pool_stats stats;
    struct sp_histogram line;  // how long calls waited for a worker
    struct sp_histogram run;   // how long tools ran
    struct sp_histogram start; // how long workers took to start
    uint64_t deaths[SP_DEATHS];
    uint64_t recycles[SP_RECYCLES];
    struct sp_tool_figures *tools; // the owner's
    uint32_t tool_count;
};

#endif
