// SPDX-License-Identifier: MIT
// What the doors, and `snakepit pools`, show of a pool.
#ifndef API_POOLS_H
#define API_POOLS_H

#include <stdbool.h>

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
// The same of what its workers run.
snakepit_err sp_api_executors(snakepit *pit,
                              const char *pool,
                              snakepit_executor_info **rows,
                              size_t *count);
// Of these, those of a worker: they are one behind the other.
struct sp_api_executors {
    const snakepit_executor_info *rows;
    size_t count;
};
struct sp_api_executors sp_api_executors_of(struct sp_api_executors all,
                                            uint64_t worker);
// The same of its deaths, the newest first.
snakepit_err
sp_api_deaths(snakepit *pit, const char *pool, snakepit_death **rows, size_t *count);
// Writes one, a map.
void sp_api_write_death(snakepit_writer *writer,
                        const char *pool,
                        const snakepit_death *death);
// Of a worker that is listed, and may have gone since.
snakepit_health sp_api_worker_health(snakepit *pit,
                                     const char *pool,
                                     const snakepit_worker_info *worker);

// ---- As values ------------------------------------------------------------------

// Whether a pool is to be seen.
typedef bool sp_api_seen_fn(const void *user, const char *pool);

// The pairs of a pool's map that all show: its name, how it is, and its figures.
#define SP_API_POOL_PAIRS 42u
void sp_api_write_pool(snakepit *pit,
                       snakepit_writer *writer,
                       const snakepit_pool_stats *stats);
// Writes {"pools": [{"name", "profile", "state", "reason", "workers", ...}]}: the
// figures of snakepit_pool_stats, and `reason`, why a worker is missing. `seen` NULL:
// all of them.
void sp_api_describe_pools(snakepit *pit,
                           sp_api_seen_fn *seen,
                           const void *user,
                           snakepit_writer *writer);
// Writes one of these, with "workers_now": its workers with their health and what they
// run, "breakers", and "deaths". `pool` NULL: the default pool. UNKNOWN_POOL,
// NO_MEMORY.
snakepit_err
sp_api_describe_pool(snakepit *pit, const char *pool, snakepit_writer *writer);

#endif
