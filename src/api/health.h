// SPDX-License-Identifier: MIT
// Whether pools can take calls.
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

// Whether a pool serves; false: there is none of that name.
bool sp_api_pool_serves(snakepit *pit, const char *pool, bool *serving);
// Whether each does.
bool sp_api_all_serve(snakepit *pit);

#endif
