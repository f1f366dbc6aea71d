// SPDX-License-Identifier: MIT
// Who asks, and what that client may do. Every door that takes calls asks here.
//
// Thread: the loop of the exchange.
#ifndef SERVER_GRANT_H
#define SERVER_GRANT_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "config/access.h"
#include "config/config.h"
#include "server/exchange.h"

struct sp_grant {
    const char *name;             // of the token, for logs; "" where none is asked for
    unsigned access;              // of enum sp_access
    const struct sp_texts *pools; // their names; NULL: all pools
    const struct sp_texts *tools; // that it may call, see config/tokens.h; NULL: all
};

// What the client may do: by the token in the fields of its request if its listener has
// `tokens`, else everything. NULL: it has shown no token that is good (HTTP 401, gRPC
// UNAUTHENTICATED). Borrowed until the callback that asks returns: another one asks
// again, and so notices a token that was revoked meanwhile.
const struct sp_grant *sp_grant_of(const struct sp_exchange *exchange);
// The same; `why` becomes a sentence for the client where it is refused.
const struct sp_grant *sp_grant_find(const struct sp_exchange *exchange,
                                     const char **why);

// Whether it may do that in the pool of that name (else HTTP 403, gRPC
// PERMISSION_DENIED). The name is the one in the configuration: sp_grant_pool().
// NULL: in a pool that is still to be found, so the caller asks again for that one.
bool sp_grant_allows(const struct sp_grant *grant,
                     enum sp_access access,
                     const char *pool);
// The same for what touches all pools, such as to reload them.
bool sp_grant_allows_all(const struct sp_grant *grant, enum sp_access access);

// Whether it may call that tool of that pool, which it is for; the name is the one in
// the configuration.
bool sp_grant_allows_tool(const struct sp_grant *grant,
                          const char *pool,
                          const char *tool);

// The name in the configuration of the pool that a client calls `pool`: "" and
// "default" may mean another one. Lives as long as the pit, or as `pool`.
const char *sp_grant_pool(snakepit *pit, const char *pool);

// Whose calls the client's are: nobody else's may it cancel. "": it may cancel any.
const char *sp_grant_owner(const struct sp_grant *grant);

#define SP_GRANT_SESSION_SIZE 256u
// The name by which the pit knows a session of the client: its own, or, where its token
// is for some pools alone, "TOKEN:session", so that it comes upon nobody else's values.
// Returns `room` or `session`; NULL: longer than the 255 bytes that a name may have.
const char *sp_grant_session(const struct sp_grant *grant,
                             const char *session,
                             char room[SP_GRANT_SESSION_SIZE]);

#endif
