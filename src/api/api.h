// SPDX-License-Identifier: MIT
// What the doors answer: the rows of api/routes.def over HTTP, those of
// services/methods.def over gRPC. Knows requests and the pit,
// and neither sockets nor protocols.
#ifndef API_API_H
#define API_API_H

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "server/exchange.h"
#include "server/server.h"
#include "telemetry/event_ring.h"

// What the handlers of a daemon share; `user` of its sp_server_options.
struct sp_api;

// Who speaks MCP on this daemon. Each answers the exchange, now or later.
struct sp_api_mcp {
    sp_handler_fn *handle; // POST /mcp
    sp_handler_fn *listen; // GET /mcp
};

struct sp_api_options {
    snakepit *pit;
    const char *path; // of the configuration, to be read again; NULL: it cannot be
    const struct sp_log *log;     // is borrowed; NULL: nothing is logged
    struct sp_event_ring *events; // for those who follow; is borrowed; NULL: nobody can
    // Begins to drain the daemon, as SIGTERM does. Any thread. NULL: it cannot.
    void (*drain)(void *user);
    void *user;
    const struct sp_api_mcp *mcp; // NULL: it speaks no MCP
};

// Copies the options. NULL: without memory.
struct sp_api *sp_api_new(const struct sp_api_options *options);
// After sp_server_close(), before snakepit_close(): waits until a reload that it has
// begun is done. NULL is fine.
void sp_api_free(struct sp_api *api);

// Whether a request comes from where it may: by the user of its client, its Host and
// its Origin. False: it was refused.
bool sp_api_may_ask(struct sp_exchange *exchange);
// Refuses a request that may not be made before its body is read. An sp_admit_fn.
bool sp_api_admits(struct sp_exchange *exchange);
// Answers any request: by its route or its method, or says why not. An sp_handler_fn.
void sp_api_handle(struct sp_exchange *exchange);

#endif
