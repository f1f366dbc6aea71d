// SPDX-License-Identifier: MIT
// What runs now, and where. Any thread.
#ifndef SNAKEPIT_EXECUTORS_H
#define SNAKEPIT_EXECUTORS_H

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// A thread of a worker that runs calls. `state` lives as long as the pit.
typedef struct snakepit_executor_info {
    size_t size;       // of the struct as the program knows it
    uint64_t worker;   // the `id` of snakepit_pool_workers()
    uint32_t executor; // which of the worker's it is, from 0
    // "idle"; "running"; "asking": its tool waits for an answer of its host;
    // "stopping": its call was given up, and its tool has not ended yet; "stuck": nor
    // did it in `cancel_grace_ms`; "absent": it takes no calls, as one that was not
    // started or has ended.
    const char *state;
    snakepit_call_id call; // that it runs; 0: none
    uint64_t running_us;   // how long it has run that, in microseconds
    // When it began that: Unix time in milliseconds; 0: it runs none. It is worked out
    // from how long that is ago, so it may differ by one from one look to the next.
    uint64_t since_ms;
    char tool[256]; // of that call, terminated by a zero; empty: there is none, or it
                    // is not known
} snakepit_executor_info;

// Fills at most `room` rows and sets `*count` to how many there are: one for each
// executor of a worker that takes calls or has calls, those of a worker in order and
// one behind the other. Set the first row's `size` to sizeof the struct before the
// call; it counts for all rows. `worker` 0: of all workers of the pool. `pool` NULL:
// the default pool. `rows` may be NULL if `room` is 0. A worker that has not started
// so far, or is gone, has none. It is what workers say; it costs their calls nothing.
// UNKNOWN_POOL, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_worker_executors(snakepit *pit,
                                                    const char *pool,
                                                    uint64_t worker,
                                                    snakepit_executor_info *rows,
                                                    size_t room,
                                                    size_t *count);

#ifdef __cplusplus
}
#endif

#endif
