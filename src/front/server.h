// SPDX-License-Identifier: MIT
// The daemon's sockets: threads with an event loop and a completion queue each, which
// accept connections and serve them. Handlers get their requests there, and submit
// calls to the queue of the same thread, so that an answer comes back where its
// connection is.
#ifndef FRONT_SERVER_H
#define FRONT_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "front/connection.h"
#include "front/exchange.h"

struct sp_listener_config;
struct sp_serve_config;

// A listener: one socket that clients come through. Constant once it is open.
struct sp_door {
    const struct sp_listener_config *config;
    int fd;
    bool local;        // loopback or a Unix socket
    char address[128]; // as it is bound: "127.0.0.1:8470"
};

// Answers a request whose header and body are whole; see exchange.h.
typedef void sp_handler_fn(struct sp_exchange *exchange);

struct sp_server;

struct sp_server_options {
    snakepit *pit;
    const struct sp_serve_config *config;
    const struct sp_log *log;
    sp_handler_fn *handle;
    void *user; // of the handler: sp_serve_loop_user()
};

// One thread. Owner: that thread; the first three are constant.
struct sp_serve_loop {
    const struct sp_server_options *options;
    struct sp_server *server;
    struct sp_loop loop;
    snakepit_queue *queue; // where calls of its connections report
    struct sp_watch queue_watch;
    struct sp_watch *door_watches; // one for each door
    struct sp_link
        waiting[SP_WAITS]; // connections, by what they wait for, oldest first
    size_t connections;
    struct sp_timer sweep; // for those that wait too long
    bool draining;
    pthread_t thread;
};

// Opens what `serve:` lists, and begins to serve. All of the options are kept.
// SYSTEM, INVALID_CONFIG (an address that is in use or not of this machine; `why` names
// it and the key), NO_MEMORY.
snakepit_err sp_server_open(const struct sp_server_options *options,
                            struct sp_server **server,
                            snakepit_message *why);
size_t sp_server_door_count(const struct sp_server *server);
const struct sp_door *sp_server_door(const struct sp_server *server, size_t index);

// Accepts nothing more; each connection ends when what it has begun is answered. Any
// thread.
void sp_server_drain(struct sp_server *server);
// True once no connection is left. Waits for at most `timeout_ms`.
bool sp_server_await_drained(struct sp_server *server, uint32_t timeout_ms);
// Ends what connections are left, and the threads. Before snakepit_close().
void sp_server_close(struct sp_server *server);

// ---- For handlers, on the thread of the loop ---------------------------------------

snakepit *sp_serve_loop_pit(const struct sp_serve_loop *loop);
snakepit_queue *sp_serve_loop_queue(const struct sp_serve_loop *loop);
const struct sp_serve_config *sp_serve_loop_config(const struct sp_serve_loop *loop);
const struct sp_log *sp_serve_loop_log(const struct sp_serve_loop *loop);
void *sp_serve_loop_user(const struct sp_serve_loop *loop);
bool sp_serve_loop_draining(const struct sp_serve_loop *loop);

#endif
