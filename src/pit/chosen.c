// SPDX-License-Identifier: MIT
// What a configuration says of pools that are there.
#include "base/check.h"
#include "pit/pit.h"

void sp_pit_choose_default_pool(snakepit *pit, const struct sp_config *config)
{
    const struct sp_pool_config *chosen =
        config->pooling_enabled ? sp_config_pool(config, NULL) : NULL;
    pit->default_pool = chosen == NULL ? NULL : sp_pit_find(pit, chosen->name);
}

void sp_pit_reopen_pool(snakepit *pit,
                        struct sp_pit_pool *place,
                        const struct sp_pool_options *options,
                        struct sp_fleet_spec *spec)
{
    SP_CHECK(place->phase == SP_PIT_POOL_REMOVED);
    sp_pool_reopen(place->pool, options);
    place->phase = SP_PIT_POOL_OPEN;
    pit->fleets_stopped--;
    atomic_store(&place->removed, false);
    sp_fleet_start_again(&place->fleet, spec);
    sp_mover_begin(&place->fleet);
}
