// SPDX-License-Identifier: MIT
// How long calls take, for those who show it.
#ifndef PIT_TIMES_H
#define PIT_TIMES_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "telemetry/figures.h"
#include "telemetry/histogram.h"

// How long calls of a pool waited for a worker, and how long its tools ran, since the
// pit was opened. False: there is no such pool. Any thread.
bool sp_pit_times(snakepit *pit,
                  const char *pool,
                  struct sp_histogram *line,
                  struct sp_histogram *run);

// Gives the rows of its tools, to be freed by sp_free(): each in its place for good,
// but what stands for those without a row comes last. UNKNOWN_POOL, NO_MEMORY. Any
// thread.
snakepit_err sp_pit_tools(snakepit *pit,
                          const char *pool,
                          struct sp_tool_figures **rows,
                          uint32_t *count);

#endif
