// SPDX-License-Identifier: MIT
// What is to be said of a pool that runs, for the doors and `snakepit inspect`.
#ifndef API_INSPECTION_H
#define API_INSPECTION_H

#include <snakepit/snakepit.h>

// Writes {"pool", "profile", "state", figures, "verdicts": [{"code", "severity",
// "what", "key", "value", "remedy"}]}, the worst verdict first. `pool` NULL: the
// default pool. UNKNOWN_POOL, NO_MEMORY.
snakepit_err
sp_api_inspect_pool(snakepit *pit, const char *pool, snakepit_writer *writer);

#endif
