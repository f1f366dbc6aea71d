// SPDX-License-Identifier: MIT
#include "front/grant.h"

#include <stdio.h>
#include <string.h>

static const struct sp_grant everything = {.name = "", .access = SP_ACCESS_ALL};

const struct sp_grant *sp_grant_of(const struct sp_exchange *exchange)
{
    (void)exchange; // a listener with tokens does not open yet
    return &everything;
}

static bool holds(const struct sp_texts *pools, const char *pool)
{
    for (size_t i = 0; i < pools->count; i++) {
        if (strcmp(pools->items[i], pool) == 0) {
            return true;
        }
    }
    return false;
}

bool sp_grant_allows(const struct sp_grant *grant,
                     enum sp_access access,
                     const char *pool)
{
    const unsigned wanted = (unsigned)access;
    return (grant->access & wanted) == wanted &&
           (grant->pools == NULL || pool == NULL || holds(grant->pools, pool));
}

bool sp_grant_allows_all(const struct sp_grant *grant, enum sp_access access)
{
    return grant->pools == NULL && sp_grant_allows(grant, access, NULL);
}

const char *sp_grant_pool(snakepit *pit, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    const bool named = pool[0] != '\0' && strcmp(pool, "default") != 0;
    return !named && snakepit_pool_get_stats(pit, NULL, &stats) == SNAKEPIT_OK
               ? stats.name
               : pool;
}

const char *sp_grant_session(const struct sp_grant *grant,
                             const char *session,
                             char room[SP_GRANT_SESSION_SIZE])
{
    if (grant->pools == NULL) {
        return session;
    }
    const int size =
        snprintf(room, SP_GRANT_SESSION_SIZE, "%s:%s", grant->name, session);
    return size > 0 && (size_t)size < SP_GRANT_SESSION_SIZE ? room : NULL;
}
