// SPDX-License-Identifier: MIT
// What the workers of a pool are made of, as far as that is the same for all of them. A
// worker keeps the one that it was made from until nothing of it is left.
#ifndef FLEET_SPEC_H
#define FLEET_SPEC_H

#include <stdint.h>

#include <snakepit/errors.h>

#include "config/config.h"

// What a spec is made from.
struct sp_spec_terms {
    struct sp_config *config; // shared; see sp_config_ref()
    const struct sp_pool_config *pool;
    enum sp_profile profile; // which need not be the pool's `worker_profile`
    struct sp_range size;    // workers
    uint32_t threads;        // calls that each of them runs at once
};

// Constant. `refs` belongs to the loop thread once it was given to a fleet.
struct sp_fleet_spec {
    uint32_t refs;
    struct sp_spec_terms terms;
    char **environment; // NAME=value, NULL at the end
};

// As many workers as it takes to run as many calls at a time, where each runs `after`
// of them instead of `before`.
struct sp_range sp_range_scaled(struct sp_range size, uint32_t before, uint32_t after);
// What the configuration asks for.
struct sp_spec_terms sp_spec_terms_of(struct sp_config *config,
                                      const struct sp_pool_config *pool);
// The first reference is the caller's. NO_MEMORY. Any thread.
snakepit_err sp_spec_new(const struct sp_spec_terms *terms,
                         struct sp_fleet_spec **spec);
struct sp_fleet_spec *sp_spec_ref(struct sp_fleet_spec *spec);
// NULL is fine.
void sp_spec_unref(struct sp_fleet_spec *spec);

#endif
