// SPDX-License-Identifier: MIT
#include "api/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/server.h"
#include "telemetry/notice.h"

#define IN_POOL "/v1/pools/{pool}" // how a pattern begins whose first part is a pool

// ---- Refusals -----------------------------------------------------------------------

static void refuse_stranger(struct sp_exchange *exchange, const char *why)
{
    const bool shown =
        sp_request_field(&exchange->request, "authorization").data != NULL;
    sp_api_refuse_access(exchange,
                         401,
                         shown ? "Bearer realm=\"snakepit\", error=\"invalid_token\""
                               : "Bearer realm=\"snakepit\"",
                         why);
}

static void
log_forbidden(const struct sp_exchange *exchange, const char *why, unsigned others)
{
    sp_log(sp_serve_loop_log(exchange->loop),
           serve_forbidden,
           .client = exchange->peer->address,
           .listen = exchange->peer->door->address,
           .because = why,
           .others = others);
}

static void log_lack(const struct sp_exchange *exchange, const char *why)
{
    unsigned others = 0;
    struct sp_token_store *store = exchange->peer->door->tokens;
    if (sp_serve_loop_log(exchange->loop) != NULL && store != NULL &&
        sp_token_store_tells(store, sp_clock_now(), &others)) {
        log_forbidden(exchange, why, others);
    }
}

// `scope` is the one that it lacks, or "".
static void
refuse_lack(struct sp_exchange *exchange, const char *scope, const char *why)
{
    char challenge[96];
    const bool lacks = scope[0] != '\0';
    (void)snprintf(challenge,
                   sizeof challenge,
                   "Bearer realm=\"snakepit\", error=\"insufficient_scope\"%s%s%s",
                   lacks ? ", scope=\"" : "",
                   scope,
                   lacks ? "\"" : "");
    log_lack(exchange, why);
    sp_api_refuse_access(exchange, 403, challenge, why);
}

static void
refuse_grant(struct sp_exchange *exchange, enum sp_access access, const char *pool)
{
    char why[SP_PARAM_SIZE + 160];
    const struct sp_grant *grant = exchange->grant;
    const char *scope = sp_access_name(access);
    const bool lacks = (grant->access & (unsigned)access) == 0;
    if (lacks) {
        (void)snprintf(
            why, sizeof why, "the token %s lacks the scope %s", grant->name, scope);
    } else if (pool != NULL) {
        (void)snprintf(
            why, sizeof why, "the token %s is not for the pool %s", grant->name, pool);
    } else {
        (void)snprintf(why,
                       sizeof why,
                       "the token %s is for some pools, and this touches all of them",
                       grant->name);
    }
    refuse_lack(exchange, lacks ? scope : "", why);
}

// ---- Asking -------------------------------------------------------------------------

bool sp_api_admit_user(struct sp_exchange *exchange)
{
    char why[96];
    unsigned others = 0;
    const struct sp_peer *peer = exchange->peer;
    if (!peer->excluded) {
        return true;
    }
    (void)snprintf(why,
                   sizeof why,
                   "the user %" PRIu32 " is none of the `users` of this listener",
                   peer->uid);
    if (sp_serve_loop_log(exchange->loop) != NULL &&
        sp_refusals_tell(&peer->door->users->refusals, sp_clock_now(), &others)) {
        log_forbidden(exchange, why, others);
    }
    sp_api_refuse(exchange, 403, why);
    return false;
}

bool sp_api_admit_client(struct sp_exchange *exchange, enum sp_access access)
{
    const char *why = "";
    if (access == SP_ACCESS_OPEN) {
        return true;
    }
    exchange->grant = sp_grant_find(exchange, &why);
    if (exchange->grant == NULL) {
        refuse_stranger(exchange, why);
        return false;
    }
    const bool may = sp_grant_allows(exchange->grant, access, NULL);
    if (!may) {
        refuse_grant(exchange, access, NULL);
    }
    return may;
}

bool sp_api_admit_to_pool(struct sp_exchange *exchange,
                          enum sp_access access,
                          const char *pool)
{
    if (exchange->grant->pools == NULL) {
        return true; // without a look at names
    }
    const char *name = sp_grant_pool(sp_api_of(exchange)->pit, pool);
    const bool may = sp_grant_allows(exchange->grant, access, name);
    if (!may) {
        refuse_grant(exchange, access, name);
    }
    return may;
}

bool sp_api_admit_to_tool(struct sp_exchange *exchange,
                          const char *pool,
                          const char *tool)
{
    char why[2 * SP_PARAM_SIZE + 160];
    const struct sp_grant *grant = exchange->grant;
    if (grant->tools == NULL) {
        return true; // without a look at names
    }
    const char *name =
        sp_grant_pool(sp_api_of(exchange)->pit, pool != NULL ? pool : "default");
    const bool may = sp_grant_allows_tool(grant, name, tool);
    if (!may) {
        (void)snprintf(why,
                       sizeof why,
                       "the token %s is not for the tool %s.%s",
                       grant->name,
                       name,
                       tool);
        refuse_lack(exchange, "", why);
    }
    return may;
}

bool sp_api_admit(struct sp_exchange *exchange,
                  const struct sp_route *route,
                  const struct sp_params *params)
{
    const bool in_pool = strncmp(route->pattern, IN_POOL, sizeof IN_POOL - 1) == 0;
    return sp_api_admit_client(exchange, route->access) &&
           (!in_pool || sp_api_admit_to_pool(exchange, route->access, params->of[0]));
}

bool sp_api_admit_to_all(struct sp_exchange *exchange, enum sp_access access)
{
    const bool may = sp_grant_allows_all(exchange->grant, access);
    if (!may) {
        refuse_grant(exchange, access, NULL);
    }
    return may;
}

bool sp_api_may_look(struct sp_exchange *exchange)
{
    // Probes ask without a token, and are not worth a line in the log.
    if (exchange->peer->door->tokens != NULL &&
        sp_request_field(&exchange->request, "authorization").data == NULL) {
        return false;
    }
    exchange->grant = sp_grant_of(exchange);
    return exchange->grant != NULL &&
           sp_grant_allows(exchange->grant, SP_ACCESS_OBSERVE, NULL);
}

bool sp_api_may(const struct sp_exchange *exchange,
                enum sp_access access,
                const char *pool)
{
    return sp_grant_allows(exchange->grant, access, pool);
}

bool sp_api_may_see_events(const void *user, const char *pool)
{
    return pool == NULL ? sp_grant_allows_all(user, SP_ACCESS_OBSERVE)
                        : sp_grant_allows(user, SP_ACCESS_OBSERVE, pool);
}

const char *sp_api_session_name(struct sp_exchange *exchange,
                                const char *session,
                                char room[SP_GRANT_SESSION_SIZE])
{
    const char *name = sp_grant_session(exchange->grant, session, room);
    if (name == NULL) {
        sp_api_fail(exchange,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "the name of the session, behind that of the token and a colon, is "
                    "longer than 255 bytes");
    }
    return name;
}
