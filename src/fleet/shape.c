// SPDX-License-Identifier: MIT
// What a pool runs as, which is the present spec, and the posts that its workers have.
// Their number only grows, and whoever is in one stays there: workers of several specs
// may live side by side.
#include "base/check.h"
#include "base/memory.h"
#include "fleet/inside.h"

// ---- Posts --------------------------------------------------------------------

struct parts {
    struct sp_place *places;
    struct sp_fleet_action *items;
    struct sp_occupant **occupants;
    struct sp_fleet_row *rows;
};

// But for the rows; and the occupants behind the first `kept`, if there are any.
static void free_parts(const struct parts *parts, size_t kept, size_t count)
{
    for (size_t i = kept; parts->occupants != NULL && i < count; i++) {
        sp_free(parts->occupants[i]);
    }
    sp_free((void *)parts->occupants);
    sp_free(parts->places);
    sp_free(parts->items);
}

// Those that there are, and new ones, up to `count`.
static snakepit_err
make_occupants(struct sp_fleet *fleet, struct sp_occupant **occupants, size_t count)
{
    for (size_t i = 0; i < fleet->row_count; i++) {
        occupants[i] = fleet->occupants[i];
    }
    for (size_t i = fleet->row_count; i < count; i++) {
        occupants[i] = sp_alloc(sizeof *occupants[i]);
        if (occupants[i] == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        *occupants[i] = (struct sp_occupant){.fleet = fleet, .place = (uint32_t)i};
    }
    return SNAKEPIT_OK;
}

static snakepit_err
make_parts(struct sp_fleet *fleet, uint32_t posts, struct parts *parts)
{
    size_t count = (size_t)posts * SP_PLACES_PER_POST;
    *parts = (struct parts){
        .places = sp_alloc_array(count, sizeof *parts->places),
        .items = sp_alloc_array(SP_FLEET_ACTIONS(posts), sizeof *parts->items),
        .occupants =
            (struct sp_occupant **)sp_alloc_array(count, sizeof(struct sp_occupant *)),
        .rows = sp_alloc_array(count, sizeof *parts->rows),
    };
    if (parts->places == NULL || parts->items == NULL || parts->occupants == NULL ||
        parts->rows == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    return make_occupants(fleet, parts->occupants, count);
}

// The actions of a step that is being carried out are copied as well.
static void
take_parts(struct sp_fleet *fleet, uint32_t posts, const struct parts *parts)
{
    const struct parts old = {.places = fleet->plan.places,
                              .items = fleet->actions.items,
                              .occupants = fleet->occupants};
    for (uint32_t i = 0; i < fleet->actions.count; i++) {
        parts->items[i] = old.items[i];
    }
    sp_fleet_plan_extend(&fleet->plan, posts, parts->places);
    fleet->actions.items = parts->items;
    fleet->occupants = parts->occupants;
    sp_fleet_replace_rows(fleet, parts->rows, (size_t)posts * SP_PLACES_PER_POST);
    free_parts(&old, 0, 0);
}

snakepit_err sp_fleet_make_posts(struct sp_fleet *fleet, uint32_t posts)
{
    struct parts parts;
    if (fleet->row_count >= (size_t)posts * SP_PLACES_PER_POST) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = make_parts(fleet, posts, &parts);
    if (err != SNAKEPIT_OK) {
        sp_free(parts.rows);
        free_parts(&parts, fleet->row_count, (size_t)posts * SP_PLACES_PER_POST);
        return err;
    }
    take_parts(fleet, posts, &parts);
    return SNAKEPIT_OK;
}

void sp_fleet_free_posts(struct sp_fleet *fleet)
{
    const struct parts old = {.places = fleet->plan.places,
                              .items = fleet->actions.items,
                              .occupants = fleet->occupants};
    free_parts(&old, 0, fleet->row_count);
    sp_fleet_replace_rows(fleet, NULL, 0);
}

// ---- The spec -----------------------------------------------------------------

void sp_fleet_show_shape(struct sp_fleet *fleet)
{
    sp_pool_set_shape(fleet->options.pool,
                      sp_profile_name(fleet->plan.profile),
                      fleet->plan.target,
                      fleet->plan.threads);
}

void sp_fleet_set_spec(struct sp_fleet *fleet, struct sp_fleet_spec *spec)
{
    struct sp_fleet_spec *old = fleet->spec;
    fleet->spec = spec;
    fleet->options.config = spec->terms.config;
    fleet->options.pool_config = spec->terms.pool;
    fleet->plan.config = spec->terms.pool;
    sp_spec_unref(old);
}

struct sp_fleet_event sp_fleet_take_spec(struct sp_fleet *fleet,
                                         struct sp_fleet_spec *spec,
                                         bool roll,
                                         enum sp_recycle why)
{
    if (sp_fleet_make_posts(fleet, spec->terms.size.max) != SNAKEPIT_OK) {
        sp_spec_unref(spec);
        return (struct sp_fleet_event){.kind = SP_FLEET_NOTHING};
    }
    sp_fleet_set_spec(fleet, spec);
    if (roll) {
        sp_code_begin(fleet);
    }
    return (struct sp_fleet_event){.kind = SP_FLEET_RESPEC,
                                   .recycle = why,
                                   .terms = {.config = spec->terms.pool,
                                             .profile = spec->terms.profile,
                                             .size = spec->terms.size,
                                             .threads = spec->terms.threads,
                                             .roll = roll}};
}

snakepit_err sp_fleet_reshape(struct sp_fleet *fleet, uint32_t size)
{
    struct sp_fleet_spec *spec;
    struct sp_spec_terms terms = fleet->spec->terms;
    terms.profile = SP_PROFILE_PROCESS;
    terms.size = (struct sp_range){size, size};
    terms.threads = 1;
    snakepit_err err = sp_fleet_make_posts(fleet, size);
    err = err == SNAKEPIT_OK ? sp_spec_new(&terms, &spec) : err;
    if (err != SNAKEPIT_OK) {
        return err;
    }
    sp_fleet_set_spec(fleet, spec);
    sp_fleet_plan_reshape(&fleet->plan, SP_PROFILE_PROCESS, size);
    spec->terms.size.min = fleet->plan.least;
    sp_fleet_show_shape(fleet);
    return SNAKEPIT_OK;
}
