// SPDX-License-Identifier: MIT
// What workers have printed last, for those who show it.
#ifndef PIT_OUTPUT_H
#define PIT_OUTPUT_H

#include <snakepit/snakepit.h>

#include "process/output.h"

// UNKNOWN_POOL; NOT_FOUND: there is no such worker, or no longer. Any thread.
snakepit_err sp_pit_worker_output(snakepit *pit,
                                  const char *pool,
                                  uint64_t worker,
                                  struct sp_worker_output *output);

#endif
