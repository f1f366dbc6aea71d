// SPDX-License-Identifier: MIT
// Whether a client may have what it asks for. A row of api/routes.def says what it
// takes; where a path names no pool, the handler looks only at pools that it may.
#ifndef API_GATE_H
#define API_GATE_H

#include "api/router.h"
#include "server/exchange.h"
#include "server/grant.h"

// Whether the listener is for the client's user. False: it was refused, as below.
bool sp_api_admit_user(struct sp_exchange *exchange);

// Asks for what the row wants, and notes what there is in `exchange->grant`, until the
// callback returns. False: it was refused, with 401 or 403, and the exchange is
// answered.
bool sp_api_admit(struct sp_exchange *exchange,
                  const struct sp_route *route,
                  const struct sp_params *params);
// The same for what is not a row of HTTP: first whether the client has a grant for
// `access` at all, then for the pool that it calls `pool`.
bool sp_api_admit_client(struct sp_exchange *exchange, enum sp_access access);
bool sp_api_admit_to_pool(struct sp_exchange *exchange,
                          enum sp_access access,
                          const char *pool);
// The same for a call of a tool, in a pool that it may call.
bool sp_api_admit_to_tool(struct sp_exchange *exchange,
                          const char *pool,
                          const char *tool);
// The same for what touches all pools; after one of the first two.
bool sp_api_admit_to_all(struct sp_exchange *exchange, enum sp_access access);

// Whether it may see pools, though its row is open to anybody; notes the same.
bool sp_api_may_look(struct sp_exchange *exchange);
// Whether it may do `access` in this pool as well; after one of the others.
bool sp_api_may(const struct sp_exchange *exchange,
                enum sp_access access,
                const char *pool);

// Whether the client may see the events of a pool: `user` is its grant. What the daemon
// tells of itself (NULL), such as who was refused, is for those who may see all pools.
bool sp_api_may_see_events(const void *user, const char *pool);

// The name that the pit knows a session of the client by; see sp_grant_session().
// NULL: it was refused.
const char *sp_api_session_name(struct sp_exchange *exchange,
                                const char *session,
                                char room[SP_GRANT_SESSION_SIZE]);

// The worker that a request names first, and its pool, if the client may observe it;
// NULL: it has been answered why not.
const char *sp_api_worker_named(struct sp_exchange *exchange,
                                const struct sp_params *params,
                                uint64_t *worker);

#endif
