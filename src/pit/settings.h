// SPDX-License-Identifier: MIT
// The configuration of a pool, as it was read last.
#ifndef PIT_SETTINGS_H
#define PIT_SETTINGS_H

#include <snakepit/snakepit.h>

#include "config/show.h"

// Calls `each` for every key of the pool, as sp_config_show() does; NULL: the default
// pool. UNKNOWN_POOL. AGAIN: a reload runs, which is not waited for. NO_MEMORY. Any
// thread.
snakepit_err
sp_pit_settings(snakepit *pit, const char *name, sp_setting_fn *each, void *user);

#endif
