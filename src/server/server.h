// SPDX-License-Identifier: MIT
// The daemon's sockets: threads with an event loop and a completion queue each, which
// accept connections and serve them. Handlers get their requests there, and submit
// calls to the queue of the same thread, so that an answer comes back where its
// connection is.
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/blocks.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "server/budget.h"
#include "server/connection.h"
#include "server/counts.h"
#include "server/door.h"
#include "server/exchange.h"
#include "server/offload.h"
#include "server/packets.h"
#include "server/waits.h"

// Answers a request whose header and body are whole; see exchange.h.
typedef void sp_handler_fn(struct sp_exchange *exchange);
// Whether the handler wants this request as soon as its header is whole, with a body
// that streams. Asked where the protocol can do that.
typedef bool sp_streams_fn(const struct sp_exchange *exchange);

// Whether a request may send the body that it announces; its header is whole. False: it
// was answered. Asked before the body is read; after `streams` has not wanted it.
typedef bool sp_admit_fn(struct sp_exchange *exchange);

struct sp_server;

struct sp_server_options {
    snakepit *pit;
    const struct sp_serve_config *config;
    const struct sp_log *log;
    const struct sp_protocol *protocol;  // &sp_http
    const struct sp_packet_ops *packets; // of local doors; NULL: there may be none
    void *packets_user;                  // of these
    struct sp_activation
        *activation; // for "systemd:NAME"; NULL: none. Until it is open
    bool inside;     // whatever `config` says, it serves this process alone; see door.h
    sp_handler_fn *handle;
    sp_streams_fn *streams; // NULL: never
    sp_admit_fn *admit;     // NULL: always
    void *user;             // of the handler: sp_serve_loop_user()
};

// One thread. Owner: that thread; the first three are constant.
struct sp_serve_loop {
    const struct sp_server_options *options;
    struct sp_server *server;
    snakepit_queue *queue; // where calls of its connections report
    struct sp_loop loop;
    struct sp_watch queue_watch;
    struct sp_watch *door_watches; // one for each door; NULL: it accepts nothing more
    struct sp_timer rest;          // while it accepts nothing
    struct sp_connections connections;
    void *packets;              // of local doors, their own; NULL: there are none
    struct sp_offload *offload; // constant; NULL: what is large is done here as well
    struct sp_link offloaded;   // and done. Guarded by its lock
    struct sp_waits streams;    // what those of HTTP/2 wait for
    struct sp_blocks blocks;    // for what each request needs
    struct sp_link given; // connections that others have accepted for it. Guarded by
                          // the server's lock
    atomic_size_t load;   // connections, those that are given included. Any thread
    atomic_uint heard;    // the last question of sp_server_is_alive(). Any thread
    struct sp_token_view *token_views; // one for each door that has tokens
    struct sp_door_counts *counts;     // one for each door; read by any thread
    struct sp_budget *budget;          // of the server: for the bodies of requests
    bool draining;
    bool started;
    pthread_t thread;
};

// Opens what `serve:` lists, and begins to serve. Keeps what the options name.
// INVALID_CONFIG: see sp_doors_open(). SYSTEM, NO_MEMORY; `why` explains it.
snakepit_err sp_server_open(const struct sp_server_options *options,
                            struct sp_server **server,
                            snakepit_message *why);
// Until sp_server_drain() or _close().
size_t sp_server_door_count(const struct sp_server *server);
const struct sp_door *sp_server_door(const struct sp_server *server, size_t index);

// Accepts nothing more, and closes the listeners; each connection ends when what it has
// begun is answered. Any thread.
void sp_server_drain(struct sp_server *server);
// After sp_server_drain(): true once no connection is left, and none can come. Waits
// for at most `timeout_ms`.
bool sp_server_await_drained(struct sp_server *server, uint32_t timeout_ms);
// Ends what connections are left, and the threads. Before snakepit_close(), which
// reports what calls of theirs are still open, on the thread that calls it.
void sp_server_close(struct sp_server *server);
// Frees it. After sp_server_close() and snakepit_close(). NULL is fine.
void sp_server_free(struct sp_server *server);

// Reads the files of tokens again that were changed since; logs what has come of each.
// Any thread.
void sp_server_look_at_tokens(struct sp_server *server);
// Whether there are any.
bool sp_server_has_tokens(const struct sp_server *server);
// Reads the files of `tls` and of tokens again, then the configuration at `path` as
// snakepit_reload_file() does, and uses all of them, or none: on failure nothing has
// changed. NULL: the first two alone. INVALID_CONFIG, NO_MEMORY, and what that function
// fails with; `why` names the file. Logs what has come of certificates and tokens. Any
// thread.
snakepit_err
sp_server_reload(struct sp_server *server, const char *path, snakepit_message *why);

// How many connections there are now. Any thread.
size_t sp_server_connections(struct sp_server *server);
// What all threads have counted for one of the doors, added up; that of `index` 0 is
// the first, as above. Any thread.
void sp_server_door_figures(const struct sp_server *server,
                            size_t index,
                            struct sp_door_figures *figures);
// Whether each thread has come round since this was asked last; asks again. One thread.
bool sp_server_is_alive(struct sp_server *server);

// ---- For handlers, on the thread of the loop ---------------------------------------

snakepit *sp_serve_loop_pit(const struct sp_serve_loop *loop);
snakepit_queue *sp_serve_loop_queue(const struct sp_serve_loop *loop);
const struct sp_serve_config *sp_serve_loop_config(const struct sp_serve_loop *loop);
const struct sp_log *sp_serve_loop_log(const struct sp_serve_loop *loop);
// What it has counted for one of its doors. NULL: it does not count.
struct sp_door_counts *sp_serve_loop_counts(const struct sp_serve_loop *loop,
                                            const struct sp_door *door);
void *sp_serve_loop_user(const struct sp_serve_loop *loop);
bool sp_serve_loop_draining(const struct sp_serve_loop *loop);
// A client of a local door is there no longer.
void sp_serve_loop_closed(struct sp_serve_loop *loop);

// Whether an answer of so many bytes may wait for its client: beyond a window, what
// waits for all clients and their bodies have `serve: max_memory` together. False: that
// was logged; answer with 507 and this sentence.
bool sp_serve_loop_may_answer(const struct sp_serve_loop *loop, size_t bytes);
#define SP_NO_ROOM_FOR_ANSWER                                                       \
    "the answer cannot wait until it is read: bodies, and answers that clients do " \
    "not "                                                                          \
    "read, take `serve: max_memory` already; what was asked for has been done"

#endif
