// SPDX-License-Identifier: MIT
// The workers that have ended last.
#include <string.h>

#include "base/thread.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/rows.h"

static void
put(void *user, size_t index, uint64_t number, const struct sp_fleet_death *death)
{
    snakepit_death row = {.number = number,
                          .worker = death->worker,
                          .pid = death->pid,
                          .expected = death->expected,
                          .ended_ms = death->ended_ms,
                          .age_ms = death->age_ms};
    _Static_assert(sizeof row.cause == sizeof death->cause, "a cause fits");
    memcpy(row.cause, death->cause, sizeof row.cause);
    sp_rows_put(user, index, &row, sizeof row);
}

snakepit_err snakepit_pool_deaths(
    snakepit *pit, const char *pool, snakepit_death *rows, size_t room, size_t *count)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_rows_check(pit, rows, room, count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_rows given = {(uint8_t *)rows, room > 0 ? rows->size : 0, room};
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked question = {.told = &sp_told_death, .pool = pool};
        return sp_ask_rows(pit, "pool_deaths", &question, &given, count);
    }
    struct sp_pit_pool *place = sp_pit_find(pit, pool);
    if (place == NULL) {
        return SNAKEPIT_UNKNOWN_POOL;
    }
    *count = sp_fleet_deaths(&place->fleet, put, &given);
    return SNAKEPIT_OK;
}
