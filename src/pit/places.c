// SPDX-License-Identifier: MIT
// Where a pool goes, and how it calls the pit.
#include "base/memory.h"
#include "pit/pit.h"
#include "pit/refuse.h"

// Of a call that a daemon runs only that can tell.
static void where(void *user, uint64_t worker, uint64_t call, struct sp_buf *text)
{
    const snakepit *pit = user;
    if (!sp_pit_is_connected(pit)) {
        sp_fleet_where(&pit->pools[sp_call_id_pool(call)]->fleet, worker, call, text);
    }
}

struct sp_pool_hooks sp_pit_pool_hooks(snakepit *pit)
{
    return (struct sp_pool_hooks){.attention = sp_pit_attention,
                                  .ended = sp_queues_wake,
                                  .changed = sp_pit_changed,
                                  .question = sp_pit_question,
                                  .where = where,
                                  .user = pit};
}

snakepit_err
sp_pit_new_place(snakepit *pit, struct sp_pit_pool **place, snakepit_message *why)
{
    if (pit->made == SP_PIT_POOLS_MOST) {
        return sp_refuse(why,
                         SNAKEPIT_NO_MEMORY,
                         "a pit has room for %zu pools, those that were removed "
                         "included; close it and open it anew",
                         pit->made);
    }
    *place = sp_alloc(sizeof **place);
    return *place == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}
