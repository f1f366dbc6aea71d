// SPDX-License-Identifier: MIT
// Which parameters a row takes: api/queries.def.
#ifndef API_QUERY_H
#define API_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "api/router.h"
#include "base/slice.h"

// Whether the row takes each parameter of the query. False: `why`, of `size` bytes,
// names the first that it does not take, and what it takes instead.
bool sp_query_fits(enum sp_route_id route,
                   struct sp_slice query,
                   char *why,
                   size_t size);

// Parameter `index` of those that a row takes; NULL past the end.
const char *sp_query_name(enum sp_route_id route, size_t index);

#endif
