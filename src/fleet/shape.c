// SPDX-License-Identifier: MIT
// What a pool runs as: the profile of its configuration, or, after a fallback, as many
// processes. What depends on that is made anew as a whole, or not at all.
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fleet/inside.h"
#include "interpreter/interpreter.h"

struct parts {
    struct sp_place *places;
    struct sp_fleet_action *items;
    struct sp_occupant *occupants;
    struct sp_fleet_row *rows;
    char **environment;
};

static void free_parts(const struct parts *parts)
{
    sp_free(parts->places);
    sp_free(parts->items);
    sp_free(parts->occupants);
    sp_free(parts->rows);
    sp_interpreter_free_env(parts->environment);
}

static uint32_t threads_of(const struct sp_pool_config *config, enum sp_profile profile)
{
    return profile == config->worker_profile ? config->threads_per_worker : 1;
}

static snakepit_err make_parts(const struct sp_pool_config *config,
                               enum sp_profile profile,
                               uint32_t size,
                               struct parts *parts)
{
    size_t places = (size_t)size * SP_PLACES_PER_POST;
    const struct sp_thread_env wanted = {
        .profile = profile,
        .threads_per_worker = threads_of(config, profile),
        .workers = size,
        .cores = sp_config_cores(),
        .user = &config->adapter_env,
        .inherited = environ,
    };
    *parts = (struct parts){
        .places = sp_alloc_array(places, sizeof *parts->places),
        .items = sp_alloc_array(SP_FLEET_ACTIONS(size), sizeof *parts->items),
        .occupants = sp_alloc_array(places, sizeof *parts->occupants),
        .rows = sp_alloc_array(places, sizeof *parts->rows),
    };
    if (parts->places == NULL || parts->items == NULL || parts->occupants == NULL ||
        parts->rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    return sp_interpreter_thread_env(&wanted, &parts->environment);
}

static void take_parts(struct sp_fleet *fleet, uint32_t size, const struct parts *parts)
{
    fleet->actions.items = parts->items;
    fleet->occupants = parts->occupants;
    fleet->environment = parts->environment;
    sp_fleet_replace_rows(fleet, parts->rows, (size_t)size * SP_PLACES_PER_POST);
    for (uint32_t i = 0; i < size * SP_PLACES_PER_POST; i++) {
        fleet->occupants[i] = (struct sp_occupant){.fleet = fleet, .place = i};
    }
}

static struct parts parts_of(const struct sp_fleet *fleet)
{
    return (struct parts){.places = fleet->plan.places,
                          .items = fleet->actions.items,
                          .occupants = fleet->occupants,
                          .environment = fleet->environment};
}

snakepit_err
sp_fleet_shape(struct sp_fleet *fleet, enum sp_profile profile, uint32_t size)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    struct parts parts;
    snakepit_err err = make_parts(config, profile, size, &parts);
    if (err != SNAKEPIT_OK) {
        free_parts(&parts);
        return err;
    }
    const struct parts old = parts_of(fleet);
    if (fleet->plan.config == NULL) {
        sp_fleet_plan_init(&fleet->plan, config, parts.places, sp_clock_now());
    } else {
        sp_fleet_plan_reshape(&fleet->plan, profile, size, parts.places);
    }
    take_parts(fleet, size, &parts);
    free_parts(&old);
    sp_pool_set_shape(fleet->options.pool,
                      sp_profile_name(profile),
                      fleet->plan.target,
                      fleet->plan.threads);
    return SNAKEPIT_OK;
}

void sp_fleet_unshape(struct sp_fleet *fleet)
{
    const struct parts old = parts_of(fleet);
    free_parts(&old);
    sp_fleet_replace_rows(fleet, NULL, 0);
}
