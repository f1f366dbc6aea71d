// SPDX-License-Identifier: MIT
// What the files of the API share. Handlers run on the loop of their exchange.
#ifndef API_INSIDE_H
#define API_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "api/api.h"
#include "api/call_names.h"
#include "api/feed.h"
#include "api/router.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/negotiate.h"
#include "server/exchange.h"

// What the handlers of one loop share. Owner: that loop.
struct sp_api_loop {
    struct sp_api_loop *next; // constant once it is in sp_api.loops
    const struct sp_serve_loop *of;
    struct sp_link streams;         // all that are open
    struct sp_link busy;            // of these, those that go on with the next turn
    struct sp_timer turn;           // runs while there are busy ones
    struct sp_timer silence;        // runs while there are streams
    struct sp_buf events;           // of one turn of one stream
    struct sp_api_tables_job *jobs; // that ask for tools, one for each time to wait
    struct sp_link held;            // calls of gRPC, see services/call.h
    struct sp_timer looks;          // at these
    struct sp_timer recording; // runs while calls that end are recorded for its clients
    snakepit *pit;             // that does so
    struct sp_grpc_call *spare; // to be used again; NULL: none
    void (*drop_spare)(struct sp_grpc_call *spare);
    struct sp_buf reply; // room for an answer of gRPC, empty between two
};

// The OpenAPI document that was made last. Guarded by sp_api.lock.
struct sp_api_document {
    struct sp_buf text;
    uint64_t stamp; // of the workers that it was made of; see api/tables.h
};

struct sp_api {
    snakepit *pit;                // constant
    char *path;                   // constant
    const struct sp_log *log;     // constant; NULL: none
    void (*drain)(void *user);    // constant; NULL: it cannot
    void *user;                   // constant
    const struct sp_api_mcp *mcp; // constant; NULL: it speaks no MCP
    struct sp_call_names names;
    struct sp_feed feed; // has a lock of its own
    struct sp_event_ring
        *events; // constant; has a lock of its own; NULL: there is none
    struct sp_api_loop *_Atomic loops;
    pthread_mutex_t lock;
    struct sp_api_document document;
    struct sp_api_tables *tables; // that were told last; NULL: none. Guarded by lock
    struct sp_api_reload *reload; // guarded by lock: that runs, or has run last
};

// One row of api/routes.def.
typedef void sp_api_fn(struct sp_exchange *exchange, const struct sp_params *params);

#define SP_ROUTE(method, pattern, handler, scope, operation, summary) \
    sp_api_fn sp_api_##handler;
#include "api/routes.def"
#undef SP_ROUTE

// ---- state.c --------------------------------------------------------------------

struct sp_api *sp_api_of(const struct sp_exchange *exchange);
// NULL: without memory.
struct sp_api_loop *sp_api_loop_of(const struct sp_exchange *exchange);

// ---- admin.c --------------------------------------------------------------------

// Waits for the reload that runs, and frees it.
void sp_api_finish_reload(struct sp_api *api);
// What POST ...:resize and ...:recycle do; they answer the exchange.
void sp_api_resize(struct sp_exchange *exchange, const char *pool, uint32_t workers);
void sp_api_recycle(struct sp_exchange *exchange, uint64_t worker);

// Says that there is no such worker, and where they are listed.
void sp_api_explain_no_worker(uint64_t worker, snakepit_message *why);
#define SP_API_NO_WORKER_ID "a worker's id is a number"

// ---- sessions.c -----------------------------------------------------------------

#define SP_SESSIONS_PAGE 100u  // sessions of a page, where nobody says how many
#define SP_SESSIONS_MOST 1000u // of one that is asked for

// A page of the sessions as snakepit_sessions() gives it, a failure too. `after` NULL:
// the first; `limit` 0: SP_SESSIONS_PAGE. NULL: it was refused.
void sp_api_list_sessions(struct sp_exchange *exchange,
                          const char *after,
                          uint32_t limit,
                          snakepit_answer **answer);
// What PUT of a value does; answers the exchange. `ttl_ms` 0: as long as the session.
void sp_api_keep(struct sp_exchange *exchange,
                 const struct sp_params *params,
                 const snakepit_writer *value,
                 uint32_t ttl_ms);

#endif
