// SPDX-License-Identifier: MIT
// The pools and workers of a pit, and what they are doing. Any thread.
#ifndef SNAKEPIT_STATS_H
#define SNAKEPIT_STATS_H

#include <stdbool.h>

#include "errors.h"
#include "payload.h"

#ifdef __cplusplus
extern "C" {
#endif

// One open configuration; see snakepit.h.
typedef struct snakepit snakepit;
// The outcome of a call; see snakepit.h.
typedef struct snakepit_answer snakepit_answer;
// Names a call; 0 names none.
typedef uint64_t snakepit_call_id;

// Set `size` to sizeof the struct before the call: an older program gets what it knows,
// and a newer one zeros for what this library does not.
typedef struct snakepit_pool_stats {
    size_t size;
    const char *name;    // lives as long as the pit
    const char *profile; // what it runs as, after a fallback: "process", "thread", or
                         // "thread (GIL)": threads that take turns, as allowed
    const char *state; // "starting", "ready", "degraded", "down", "failed", "stopping",
                       // or "removed": by a reload
    uint32_t workers;  // that it is to have now; where pool_size is a range, it changes
    uint32_t workers_ready; // taking calls now
    uint32_t threads_per_worker;
    uint32_t capacity;  // calls that can run at once when all workers are ready
    uint32_t running;   // calls handed to workers
    uint32_t waiting;   // calls in the line
    uint64_t calls;     // ended, whatever the outcome
    uint64_t failures;  // of these, not OK
    uint64_t saturated; // refused because the line was full
    uint64_t timeouts;
    uint64_t cancelled;
    uint64_t worker_starts;
    uint64_t worker_deaths;   // that nobody asked for
    uint64_t violations;      // workers killed because they broke the protocol
    uint64_t shared_bytes;    // request memory in use
    uint64_t worker_recycles; // workers that made room for a successor
    // Workers that were given no more calls because one of theirs was stuck: `on_stuck:
    // isolate`.
    uint64_t worker_isolations;
    // Calls that were given up, by what ended them; see snakepit_stop.
    uint64_t stopped_in_line;
    uint64_t stopped_unstarted;
    uint64_t stopped_cooperatively;
    uint64_t stopped_by_exception;
    uint64_t stopped_by_kill;
    uint64_t stopping;        // calls that were given up and whose tools still run
    uint64_t stop_total_us;   // how long such tools ran on, in all, in microseconds
    uint64_t stop_max_us;     // the longest of these
    uint64_t retries;         // attempts after the first one of their call
    uint64_t retries_refused; // attempts not made: the retry budget was used up
    uint64_t breaker_refused; // calls that ended with BREAKER_OPEN
    uint64_t breakers_open;   // tools whose breaker is not closed now
    uint64_t health_check_failures; // health checks that have failed, of all workers
    // Workers that are there and will be replaced by ones that are made of something
    // else, since the pit was reloaded.
    uint64_t workers_outdated;
    // With `adaptive_pooling`: how often its workers have been replaced by ones of the
    // other profile, and how many of these switches undid the one before.
    uint64_t profile_switches;
    uint64_t profile_switches_undone;
    // Workers that could not be started, or died before they were ready or as soon as
    // they were: each is a worker.start_failed of the log.
    uint64_t worker_start_failures;
    uint32_t processes; // of its workers that there are now, whatever they do
    // Calls that could begin at once, in workers that have nothing else to do.
    uint32_t available_capacity;
    // Of what is known of its workers' memory: all of it, and how much that is a
    // worker, both in bytes; 0: nothing is known so far. It is the sum of `pss_bytes`
    // in snakepit_worker_info, and of `rss_bytes` where that is not known.
    uint64_t memory_per_process;
    uint64_t total_memory;
} snakepit_pool_stats;

SNAKEPIT_API size_t snakepit_pool_count(const snakepit *pit);
// The name of pool `index`, in configuration order, those that a reload has added
// behind the others; NULL past the end. A reload changes which pools there are.
SNAKEPIT_API const char *snakepit_pool_name(const snakepit *pit, size_t index);
// UNKNOWN_POOL, INVALID_ARGUMENT (also without a valid `size`). `pool` NULL: the
// default pool.
SNAKEPIT_API snakepit_err snakepit_pool_get_stats(snakepit *pit,
                                                  const char *pool,
                                                  snakepit_pool_stats *stats);

// Texts live as long as the pit.
typedef struct snakepit_worker_info {
    size_t size; // of the struct as the program knows it; see snakepit_pool_workers()
    uint64_t id; // never reused within a pit
    int32_t pid;
    const char *state; // "STARTING", "READY", "DRAINING", "STOPPING", "DEAD"
    uint32_t load;
    uint32_t capacity;
    const char *device; // which of the pool's `devices` it has; NULL: there are none
    uint32_t stuck;     // calls of `load` that were given up, and did not end in time
    bool isolated; // it gets no new calls because one is stuck: `on_stuck: isolate`
    const char *health; // what its last check said, see snakepit_health: "unknown",
                        // "healthy", "unhealthy"
    uint64_t age_ms;    // since its process was started, in milliseconds
    uint64_t calls;     // that it was handed, also those that it has handed back
    // Resident memory in bytes, without what it shares with the host. Of `pss_bytes`
    // what several processes share, as those that a template has forked do, counts for
    // each of them in part. The library looks from time to time, at a large pool's
    // workers less often. 0: not known, as `pss_bytes` is where `rss_bytes` is above
    // 1 GiB: to count that would take too long.
    uint64_t rss_bytes;
    uint64_t pss_bytes;
    uint32_t threads;   // that it has, as the kernel counts; 0: not known
    const char *python; // its version, "3.13.5"; NULL: it has not said so far
} snakepit_worker_info;

// Fills at most `room` rows and sets `*count` to how many workers there are. Set the
// first row's `size` to sizeof the struct before the call; it counts for all rows.
// `pool` NULL: the default pool. `rows` may be NULL if `room` is 0. UNKNOWN_POOL,
// INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_pool_workers(snakepit *pit,
                                                const char *pool,
                                                snakepit_worker_info *rows,
                                                size_t room,
                                                size_t *count);

// What a pool's `breaker` knows of a tool. `state` lives as long as the pit.
typedef struct snakepit_breaker_info {
    size_t size; // of the struct as the program knows it; see snakepit_pool_breakers()
    char tool[256];    // its name, terminated by a zero
    const char *state; // "closed", "open", "half-open"
    uint32_t failures; // within `window_ms`; 0 unless it is closed
    uint32_t
        retry_after_ms; // milliseconds until it lets a call through; 0: it does now
} snakepit_breaker_info;

// Fills at most `room` rows and sets `*count` to how many there are: one for each tool
// of which a call has failed, the one that failed last at the end. Set the first row's
// `size` to sizeof the struct before the call; it counts for all rows. `pool` NULL: the
// default pool. `rows` may be NULL if `room` is 0. UNKNOWN_POOL, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_pool_breakers(snakepit *pit,
                                                 const char *pool,
                                                 snakepit_breaker_info *rows,
                                                 size_t room,
                                                 size_t *count);

// What the health checks of a worker say: the adapter's `health_check()`, which is run
// every `health_check_interval_ms`. `status` lives as long as the pit.
typedef struct snakepit_health {
    size_t size;         // of the struct as the program knows it
    const char *status;  // "healthy", "unhealthy": by its last check; "unknown": it was
                         // not checked, as where there is no `health_check()`
    uint64_t checks;     // that have ended
    uint64_t failures;   // of these
    uint64_t checked_ms; // how long ago the last one ended; 0 if there was none
    uint32_t consecutive_failures;
    char message[256]; // why the last one failed; else empty
} snakepit_health;

// Set `size` to sizeof the struct before the call. `pool` NULL: the default pool.
// `worker` is the `id` of snakepit_pool_workers(). NOT_FOUND: the pool has no such
// worker. UNKNOWN_POOL, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_worker_health(snakepit *pit,
                                                 const char *pool,
                                                 uint64_t worker,
                                                 snakepit_health *health);

// Asks one of a pool's workers what its tools are. This is a call: it waits for a
// worker, counts in stats, and fails as snakepit_call() does. `pool` and `timeout_ms`
// as in snakepit_call_options. With OK the answer is a map:
//
//     {"adapter": "shop.Shop",
//      "answers_others": false,    whether it also answers names that are not listed
//      "tools": [{"name", "description": texts,
//                 "streams", "async", "thread_safe", "idempotent",
//                 "read_only", "destructive": booleans,
//                 "parameters", "result": JSON Schema 2020-12 made from annotations,
//                 {} where they say nothing; `parameters` is always an object}, ...]}
//
// Always free the answer. Any thread.
SNAKEPIT_API snakepit_err snakepit_pool_tools(snakepit *pit,
                                              const char *pool,
                                              uint32_t timeout_ms,
                                              snakepit_answer **answer);

// Set `size` to sizeof the struct, and leave what you do not need zero.
typedef struct snakepit_metrics_options {
    size_t size;
    bool openmetrics; // OpenMetrics 1.0; else the text format 0.0.4 of Prometheus
    bool goes_on; // without the "# EOF" of OpenMetrics, since the program appends more
    // Whether a pool is told; NULL: each is. Called before snakepit_metrics() returns.
    bool (*wants)(void *user, const char *pool);
    void *user;
} snakepit_metrics_options;

// The figures of all pools as Prometheus reads them; docs/metrics.md lists them. `text`
// is terminated by a zero that `size` (in bytes) does not count; free it with
// snakepit_metrics_free(). Counters go on from when the pit was opened, whatever
// workers do. `options` may be NULL. INVALID_ARGUMENT, NO_MEMORY.
SNAKEPIT_API snakepit_err snakepit_metrics(snakepit *pit,
                                           const snakepit_metrics_options *options,
                                           char **text,
                                           size_t *size);
// NULL is fine.
SNAKEPIT_API void snakepit_metrics_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
