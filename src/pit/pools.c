// SPDX-License-Identifier: MIT
// The pools of a pit. A reload adds and removes some while calls come in, which take no
// lock to find theirs. So a place that was made stays until the pit is closed: there
// may be a thread that has just found it. A pool that was removed says so to whoever
// comes late, and a pool of the same name takes the place over.
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "pit/pit.h"

// ---- The table -----------------------------------------------------------------

static void free_pool(struct sp_pit_pool *place)
{
    if (!sp_pit_pool_is_remote(place)) {
        sp_fleet_fini(&place->fleet);
        sp_past_fini(&place->past);
        sp_growth_fini(&place->growth);
    }
    sp_pool_close(place->pool);
    sp_free(place->circuit);
    sp_free(place);
}

void sp_pit_drop_unseen_pools(snakepit *pit)
{
    while (pit->made > pit->count) {
        free_pool(pit->pools[--pit->made]);
    }
}

void sp_pit_show_pools(snakepit *pit)
{
    // [pools:shown] who sees the count sees the places; pairs with each look at it.
    atomic_store_explicit(&pit->count, pit->made, memory_order_release);
}

void sp_pit_free_pools(snakepit *pit)
{
    while (pit->made > 0) {
        free_pool(pit->pools[--pit->made]);
    }
    sp_free((void *)pit->pools);
}

// ---- Finding ------------------------------------------------------------------

static bool is_named(const struct sp_pit_pool *place, const char *name)
{
    return strcmp(sp_pool_name(place->pool), name) == 0;
}

struct sp_pit_pool *sp_pit_find(const snakepit *pit, const char *name)
{
    struct sp_pit_pool *removed = NULL;
    if (name == NULL) {
        return pit->default_pool;
    }
    size_t count = pit->count;
    for (size_t i = 0; i < count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        if (!is_named(place, name)) {
            continue;
        }
        if (!sp_pit_pool_is_removed(place)) {
            return place;
        }
        removed = place;
    }
    return removed;
}

struct sp_pool *sp_pit_pool(const snakepit *pit, const char *name)
{
    const struct sp_pit_pool *found = sp_pit_find(pit, name);
    return found == NULL ? NULL : found->pool;
}

// ---- Seats: loop thread -------------------------------------------------------

bool sp_pit_tick_pool(struct sp_pit_pool *place, uint64_t now)
{
    return sp_pit_pool_is_remote(place) ? sp_circuit_tick(place->circuit, now)
                                        : sp_fleet_tick(&place->fleet, now);
}

void sp_pit_stop_pool(struct sp_pit_pool *place)
{
    if (sp_pit_pool_is_remote(place)) {
        sp_circuit_stop(place->circuit);
    } else {
        sp_mover_end(&place->fleet);
        sp_fleet_stop(&place->fleet);
    }
}

// ---- Removing: loop thread ----------------------------------------------------

// Whether a pool could go on as `options` say.
static bool suits(struct sp_pit_pool *place, const struct sp_pool_options *options)
{
    return place->phase == SP_PIT_POOL_REMOVED && is_named(place, options->name) &&
           sp_pool_could_be(place->pool, options);
}

struct sp_pit_pool *sp_pit_find_removed(const snakepit *pit,
                                        const struct sp_pool_options *options)
{
    for (size_t i = 0; i < pit->count; i++) {
        if (suits(pit->pools[i], options)) {
            return pit->pools[i];
        }
    }
    return NULL;
}

void sp_pit_begin_removal(struct sp_pit_pool *place, uint64_t end_at)
{
    SP_CHECK(place->phase == SP_PIT_POOL_OPEN);
    place->phase = SP_PIT_POOL_FINISHING;
    place->end_at = end_at;
    atomic_store(&place->removed, true);
    if (!sp_pit_pool_is_remote(place)) {
        sp_mover_end(&place->fleet);
    }
    sp_pool_begin_removal(place->pool);
}

bool sp_pit_go_on_removing(struct sp_pit_pool *place, uint64_t now)
{
    switch (place->phase) {
    case SP_PIT_POOL_FINISHING:
        if (sp_pool_is_busy(place->pool) && now < place->end_at) {
            return true;
        }
        sp_pool_end_all(place->pool);
        place->phase = SP_PIT_POOL_CLEANING_UP;
        return true;
    case SP_PIT_POOL_CLEANING_UP:
        if (sp_pit_pool_is_remote(place)) {
            place->phase = SP_PIT_POOL_REMOVED;
            sp_circuit_stop(place->circuit);
        } else if (!sp_pool_awaits_tools(place->pool)) {
            place->phase = SP_PIT_POOL_STOPPING;
            sp_fleet_stop(&place->fleet);
        }
        return true;
    case SP_PIT_POOL_STOPPING:
        if (!sp_pit_pool_is_remote(place) && sp_fleet_has_stopped(&place->fleet)) {
            place->phase = SP_PIT_POOL_REMOVED;
        }
        return true;
    default:
        return false;
    }
}
