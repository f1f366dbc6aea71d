// SPDX-License-Identifier: MIT
// What the doors show of a pool.
#ifndef FRONT_API_POOLS_H
#define FRONT_API_POOLS_H

#include <snakepit/snakepit.h>

// Its workers, in an array to be freed by sp_free(), also after a failure. NO_MEMORY,
// and what snakepit_pool_workers() says.
snakepit_err sp_api_workers(snakepit *pit,
                            const char *pool,
                            snakepit_worker_info **rows,
                            size_t *count);
// The same of its breakers.
snakepit_err sp_api_breakers(snakepit *pit,
                             const char *pool,
                             snakepit_breaker_info **rows,
                             size_t *count);
// Of a worker that is listed, and may have gone since.
snakepit_health sp_api_worker_health(snakepit *pit,
                                     const char *pool,
                                     const snakepit_worker_info *worker);

#endif
