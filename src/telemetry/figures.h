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

// The calls of one tool.
struct sp_tool_figures {
    char name[256]; // clean; see base/text.h
    uint64_t ended[SP_ERRORS];
    uint64_t ran; // of these, those that gave an answer and were not streams
    uint64_t ran_ns;
};

struct sp_figures {
    snakepit_pool_stats stats;
    struct sp_histogram line;      // how long calls waited for a worker
    struct sp_histogram run;       // how long tools ran
    struct sp_tool_figures *tools; // the owner's
    uint32_t tool_count;
};

#endif
