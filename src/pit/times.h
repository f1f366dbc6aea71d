// SPDX-License-Identifier: MIT
// How long calls take, for those who show it.
#ifndef PIT_TIMES_H
#define PIT_TIMES_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "telemetry/histogram.h"

// How long calls of a pool waited for a worker, and how long its tools ran, since the
// pit was opened. False: there is no such pool. Any thread.
bool sp_pit_times(snakepit *pit,
                  const char *pool,
                  struct sp_histogram *line,
                  struct sp_histogram *run);

#endif
