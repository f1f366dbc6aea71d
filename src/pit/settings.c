// SPDX-License-Identifier: MIT
#include "pit/settings.h"

#include <pthread.h>

#include "config/config.h"
#include "pit/pit.h"

snakepit_err
sp_pit_settings(snakepit *pit, const char *name, sp_setting_fn *each, void *user)
{
    if (pthread_mutex_trylock(&pit->reload_lock) != 0) {
        return SNAKEPIT_AGAIN;
    }
    const struct sp_pool_config *pool = sp_config_pool(pit->config, name);
    snakepit_err err =
        pool == NULL ? SNAKEPIT_UNKNOWN_POOL : sp_config_show(pool, each, user);
    pthread_mutex_unlock(&pit->reload_lock);
    return err;
}
