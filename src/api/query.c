// SPDX-License-Identifier: MIT
// A parameter that nobody reads is a slip, and to pass over it would do something else
// than was meant.
#include "api/query.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 64 // bytes of a name

static const struct {
    enum sp_route_id route;
    const char *name;
} rows[] = {
#define SP_QUERY(handler, name) {SP_ROUTE_##handler, name},
#include "api/queries.def"
#undef SP_QUERY
};

#define ROWS (sizeof rows / sizeof rows[0])

const char *sp_query_name(enum sp_route_id route, size_t index)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].route == route && index-- == 0) {
            return rows[i].name;
        }
    }
    return NULL;
}

// Its number among those that the row takes; ROWS: it is none of them.
static size_t find(enum sp_route_id route, struct sp_slice name)
{
    const char *known;
    for (size_t i = 0; (known = sp_query_name(route, i)) != NULL; i++) {
        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0) {
            return i;
        }
    }
    return ROWS;
}

static void refuse(enum sp_route_id route, struct sp_slice name, char *why, size_t size)
{
    const char *known = sp_query_name(route, 0);
    const int shown = name.size > SHOWN ? SHOWN : (int)name.size;
    int written = snprintf(why,
                           size,
                           "there is no parameter \"%.*s\" here; this path takes %s",
                           shown,
                           (const char *)name.data,
                           known == NULL ? "none" : known);
    for (size_t i = 1; known != NULL && (size_t)written < size; i++) {
        known = sp_query_name(route, i);
        if (known != NULL) {
            written += snprintf(why + written, size - (size_t)written, ", %s", known);
        }
    }
}

static size_t to(char byte, struct sp_slice text)
{
    const uint8_t *found = text.size == 0 ? NULL : memchr(text.data, byte, text.size);
    return found == NULL ? text.size : (size_t)(found - text.data);
}

bool sp_query_fits(enum sp_route_id route,
                   struct sp_slice query,
                   char *why,
                   size_t size)
{
    bool seen[ROWS + 1] = {false};
    while (query.size > 0) {
        const size_t part = to('&', query);
        const struct sp_slice name = {query.data,
                                      to('=', (struct sp_slice){query.data, part})};
        const size_t found = find(route, name);
        if (found == ROWS && name.size > 0) { // else there is nothing between two '&'
            refuse(route, name, why, size);
            return false;
        }
        if (found < ROWS && seen[found]) {
            (void)snprintf(why,
                           size,
                           "there are two parameters \"%.*s\"; send one",
                           (int)name.size,
                           (const char *)name.data);
            return false;
        }
        seen[found] = true;
        const size_t used = part < query.size ? part + 1 : part;
        query = (struct sp_slice){query.data + used, query.size - used};
    }
    return true;
}
