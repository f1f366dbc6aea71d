// SPDX-License-Identifier: MIT
// Whoever asks in vain is told why, and logged, once in a while: what is guessed at are
// 256 random bits, so nothing is gained by making anybody wait for the answer.
#include "server/grant.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utc.h"
#include "server/bearer.h"
#include "server/server.h"
#include "server/token.h"
#include "server/token_store.h"
#include "telemetry/notice.h"

static const struct sp_grant everything = {.name = "", .access = SP_ACCESS_ALL};

// ---- Refusals -----------------------------------------------------------------------

static void log_refusal(const struct sp_exchange *exchange, const char *why)
{
    unsigned before = 0;
    const struct sp_log *log = exchange->loop->options->log;
    struct sp_token_store *store = exchange->peer->door->tokens;
    if (log != NULL && sp_token_store_tells(store, sp_clock_now(), &before)) {
        sp_log(log,
               serve_unauthorized,
               .client = exchange->peer->address,
               .listen = exchange->peer->door->address,
               .because = why,
               .others = before);
    }
}

static const char *text_of(enum sp_token_state state, struct sp_slice token)
{
    if (state == SP_TOKEN_EXPIRED) {
        return "the token has expired";
    }
    return sp_token_is_damaged(token)
               ? "the token is not whole: it was cut, or mistyped"
               : "this listener does not know the token; it may have been revoked";
}

// ---- Grants -------------------------------------------------------------------------

static struct sp_token_view *view_of(const struct sp_exchange *exchange)
{
    struct sp_token_view *view = exchange->loop->token_views;
    while (view->store != exchange->peer->door->tokens) {
        view++; // each store has one
    }
    return view;
}

static const struct sp_grant *find(const struct sp_exchange *exchange, const char **why)
{
    struct sp_slice token;
    uint8_t hash[SP_TOKEN_HASH_BYTES];
    const struct sp_grant *grant = NULL;
    const enum sp_bearer shown = sp_bearer_of(&exchange->request, &token);
    *why = sp_bearer_text(shown);
    if (shown == SP_BEARER_FOUND) {
        const enum sp_token_state state =
            sp_token_hash(token, hash)
                ? sp_token_view_find(view_of(exchange), hash, sp_utc_now(), &grant)
                : SP_TOKEN_UNKNOWN;
        *why = text_of(state, token);
    }
    return grant;
}

const struct sp_grant *sp_grant_find(const struct sp_exchange *exchange,
                                     const char **why)
{
    if (exchange->peer->door->tokens == NULL) {
        return &everything;
    }
    const struct sp_grant *grant = find(exchange, why);
    if (grant == NULL) {
        log_refusal(exchange, *why);
    }
    return grant;
}

const struct sp_grant *sp_grant_of(const struct sp_exchange *exchange)
{
    const char *why;
    return sp_grant_find(exchange, &why);
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

// Whether a pattern is that tool of that pool, or one that begins as it does.
static bool fits(const char *pattern, const char *pool, const char *tool)
{
    const size_t size = strlen(pool);
    const size_t left = strlen(pattern);
    const bool all = left > 0 && pattern[left - 1] == '*';
    if (left <= size || strncmp(pattern, pool, size) != 0 || pattern[size] != '.') {
        return false; // a * before the dot is none: pools are named whole
    }
    const char *rest = pattern + size + 1;
    return all ? strncmp(rest, tool, strlen(rest) - 1) == 0 : strcmp(rest, tool) == 0;
}

bool sp_grant_allows_tool(const struct sp_grant *grant,
                          const char *pool,
                          const char *tool)
{
    bool allows = grant->tools == NULL;
    for (size_t i = 0; !allows && i < grant->tools->count; i++) {
        allows = fits(grant->tools->items[i], pool, tool);
    }
    return allows;
}

const char *sp_grant_pool(snakepit *pit, const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    const bool named = pool[0] != '\0' && strcmp(pool, "default") != 0;
    return !named && snakepit_pool_get_stats(pit, NULL, &stats) == SNAKEPIT_OK
               ? stats.name
               : pool;
}

const char *sp_grant_owner(const struct sp_grant *grant)
{
    return sp_grant_allows_all(grant, SP_ACCESS_ADMIN) ? "" : grant->name;
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
