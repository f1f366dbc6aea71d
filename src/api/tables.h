// SPDX-License-Identifier: MIT
// The tools of all pools: a worker of each pool is asked, and what they say is kept
// until there are other workers. Whoever asks while they are being asked on the same
// loop waits for that.
#ifndef API_TABLES_H
#define API_TABLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "server/exchange.h"

struct sp_api;

struct sp_api_table {
    const char *pool;        // its name, which lives as long as the pit
    snakepit_answer *answer; // NULL: it did not answer in time
};

// Constant once they are told; any thread.
struct sp_api_tables {
    _Atomic unsigned refs;
    uint64_t stamp; // of the workers that they are of
    bool whole;     // each pool has answered
    size_t count;
    struct sp_api_table tables[];
};

void sp_api_tables_ref(struct sp_api_tables *tables);
// NULL is fine.
void sp_api_tables_unref(struct sp_api_tables *tables);

// Another one as soon as there is another worker or pool.
uint64_t sp_api_tables_stamp(snakepit *pit);

// Somebody who waits for them. Embedded; owner: the loop of its exchange.
struct sp_api_tables_waiter {
    struct sp_link link; // of those that wait for the same
    struct sp_exchange *exchange;
    struct sp_api_tables_job *job;
    // Once, on the loop: `tables` are borrowed. The exchange has no listener any more.
    void (*told)(struct sp_api_tables_waiter *waiter, struct sp_api_tables *tables);
    // Instead, once: the client has gone, and the exchange is no more.
    void (*gone)(struct sp_api_tables_waiter *waiter);
};

// Tells the waiter, now or later; asked pools have `wait_ms` to answer. NO_MEMORY: it
// is not told.
snakepit_err sp_api_tables_get(struct sp_api_tables_waiter *waiter, uint32_t wait_ms);

// Those that are kept, of the workers that there are; NULL: none. To be released.
struct sp_api_tables *sp_api_tables_kept(struct sp_api *api);
// Those that were told last, also where there are other workers by now; likewise.
struct sp_api_tables *sp_api_tables_last(struct sp_api *api);

#endif
