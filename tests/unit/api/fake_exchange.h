// SPDX-License-Identifier: MIT
// An exchange without a protocol: the test is the client. What the API answers is kept,
// and the loop and the queue are those of the test's own thread.
#ifndef UNIT_API_FAKE_EXCHANGE_H
#define UNIT_API_FAKE_EXCHANGE_H

#include <stdbool.h>

#include "api/api.h"
#include "base/slice.h"
#include "config/config.h"
#include "server/exchange.h"
#include "server/inside.h"
#include "server/server.h"

#define FAKE_FIELDS_MOST 16u

struct fake_exchange {
    struct sp_exchange exchange;
    struct sp_field sent[FAKE_FIELDS_MOST]; // by the client
    size_t room;                            // that the client has
    bool gone;

    // What came back.
    unsigned replies; // or beginnings
    unsigned status;
    char type[64];
    char fields[8192]; // "name: value\n" of each, trailers behind the others
    struct sp_buf body;
    unsigned sends;
    size_t taken; // of a body that streams
    bool ended;
    bool failed;
};

// The daemon of a test; the pit is the caller's.
struct fake_daemon {
    struct sp_serve_config config;
    struct sp_server_options options;
    struct sp_server server; // that has no doors
    struct sp_serve_loop loop;
    struct sp_door door;
    struct sp_peer peer;
};

void fake_daemon_open(struct fake_daemon *daemon, snakepit *pit, const char *path);
// Before the pit is closed.
void fake_daemon_close(struct fake_daemon *daemon);
// Runs callbacks and timers until there is nothing to do for a while, or `until` holds.
void fake_daemon_run(struct fake_daemon *daemon, const bool *until);

// A request of the client: "GET /v1/pools?x". Frees what came back before.
void fake_request(struct fake_exchange *fake,
                  struct fake_daemon *daemon,
                  const char *line,
                  const char *body);
// A field of it.
void fake_field(struct fake_exchange *fake, const char *name, const char *value);
// Hands it to the API, and runs the daemon until it is answered.
void fake_handle(struct fake_exchange *fake, struct fake_daemon *daemon);
// The same, and leaves the answer to come later.
void fake_handle_only(struct fake_exchange *fake);
// A request of gRPC, whose body streams: "/snakepit.v1.Snakepit/Call".
void fake_grpc_request(struct fake_exchange *fake,
                       struct fake_daemon *daemon,
                       const char *path);
// More of its body, if it is not answered yet.
void fake_receive(struct fake_exchange *fake, struct sp_slice bytes);
// The end of its body, likewise.
void fake_complete(struct fake_exchange *fake);
// The client goes.
void fake_leave(struct fake_exchange *fake);
// What came back, terminated.
const char *fake_body(struct fake_exchange *fake);
void fake_free(struct fake_exchange *fake);

#endif
