// SPDX-License-Identifier: MIT
#include "pit/output.h"

#include "pit/pit.h"

snakepit_err sp_pit_worker_output(snakepit *pit,
                                  const char *pool,
                                  uint64_t worker,
                                  struct sp_worker_output *output)
{
    struct sp_pit_pool *place = sp_pit_find(pit, pool);
    if (place == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    return sp_fleet_output(&place->fleet, worker, output) ? SNAKEPIT_OK
                                                          : SNAKEPIT_NOT_FOUND;
}
