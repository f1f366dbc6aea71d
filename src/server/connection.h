// SPDX-License-Identifier: MIT
// One socket that a client is at the other end of: bytes in, bytes out, and how long
// either may take. What the bytes mean is the matter of its protocol.
//
// Owner: the loop thread that accepted it.
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/slice.h"
#include "server/counts.h"
#include "server/exchange.h"
#include "server/outbox.h"
#include "server/transport.h"
#include "server/waits.h"

struct sp_connection;

// A protocol, as its connection sees it. None of these is called from within a function
// of the connection that the protocol has called.
struct sp_protocol {
    // `user` is made for a connection that has just been accepted. NO_MEMORY: it is
    // closed.
    snakepit_err (*open)(struct sp_connection *connection);
    // There is more in `connection->in`, or where sp_connection_expect() said. Takes
    // what it can by sp_connection_consume().
    void (*received)(struct sp_connection *connection);
    // The client sends nothing more: it has gone away, or has shut down its side. The
    // connection closes when what is to be sent has been sent, unless the protocol
    // keeps it open by sp_connection_linger(). Told early, and again in its turn, where
    // it is paused and something that was sent before is still to be read; then nothing
    // closes until that has been read.
    void (*ended)(struct sp_connection *connection);
    // There is room again after sp_connection_room() was 0.
    void (*writable)(struct sp_connection *connection);
    // What it waited for has not come in time. It may answer (408); the connection
    // closes when that has been sent. After SP_WAIT_CLIENT it closes at once.
    void (*late)(struct sp_connection *connection, enum sp_wait_for what);
    // The daemon drains: take no new request. True: nothing is under way, so that the
    // connection can be closed now.
    bool (*drain)(struct sp_connection *connection);
    // Frees `user`; what is under way is given up: handlers are told `gone`.
    void (*close)(struct sp_connection *connection);
    // NULL, but for one that reads the socket by itself: something has happened there.
    void (*ready)(struct sp_connection *connection);
    // Before a loop accepts connections of it. NULL: it needs nothing.
    void (*prepare)(struct sp_serve_loop *loop);
};

// The handshake of TLS, which comes before the protocol; server/handshake.c.
extern const struct sp_protocol sp_handshake;

// All connections of one loop.
struct sp_connections {
    struct sp_loop *loop;
    struct sp_serve_loop *serve; // for protocols
    const struct sp_protocol *protocol;
    void (*closed)(struct sp_connections *all); // one of them has
    struct sp_budget *budget; // for what waits for clients; NULL: without a limit
    const struct sp_door *doors;
    struct sp_door_counts *counts; // one for each of these; NULL: nobody counts
    struct sp_waits waits;
    size_t count;
    struct sp_buf spare_in; // what one has read into, for the next one that reads
    struct sp_buf spare_out;
    uint64_t told;   // ns, when a handshake that failed was logged
    unsigned untold; // that have failed since
};

struct sp_connection {
    struct sp_connections *all;
    struct sp_serve_loop *loop;
    struct sp_door_counts *counts; // of its door; NULL: nobody counts
    struct sp_peer peer;
    struct sp_transport transport;
    struct sp_watch watch;
    struct sp_wait wait;
    enum sp_wait_for waits_for; // as its protocol says

    const struct sp_protocol *protocol;
    void *user; // of the protocol

    struct sp_buf in;    // received and not consumed; freed while it is empty
    struct sp_buf *sink; // where the next `expected` bytes go instead, or NULL
    size_t expected;
    struct sp_outbox out; // to be sent; freed while it is empty
    bool paused;          // nothing is read: the client is to wait
    bool again;           // what is in `in` is to be handed out once more
    bool ended;           // the client sends nothing more
    bool lingers;         // stays open all the same
    bool blocked;         // the client has to take something before more can be sent
    bool full;            // sp_connection_room() was 0; `writable` is due
    bool closing;         // when all has been sent
    bool leaving;         // all has been sent: the client is to close as well
    bool lost;            // cannot be written to any more; closes with the next turn
    struct sp_task flush; // one write a turn of the loop
};

// ---- For protocols --------------------------------------------------------------

// Takes the first `bytes` of `connection->in`.
void sp_connection_consume(struct sp_connection *connection, size_t bytes);
// Has the next `bytes` bytes read straight into `buf`, which has room for them, at its
// end; what is in `in` already is not among them. `received` is told as they come.
void sp_connection_expect(struct sp_connection *connection,
                          struct sp_buf *buf,
                          size_t bytes);
// Reads nothing, or goes on. What is in `in` already is handed out again when it goes
// on. Costs nothing as long as the client sends nothing.
void sp_connection_pause(struct sp_connection *connection, bool paused);

// Queues bytes to be sent at the end of this turn of the loop; copies them. NO_MEMORY.
snakepit_err sp_connection_send(struct sp_connection *connection,
                                struct sp_slice bytes);
// Sends what is queued now, for a client that can go on with it meanwhile.
void sp_connection_send_now(struct sp_connection *connection);
// How many bytes may be queued before the client has taken some.
size_t sp_connection_room(struct sp_connection *connection);
// Closes once all that was queued has been sent; reads nothing more.
void sp_connection_close_after(struct sp_connection *connection);
// Within `ended`: stays open until sp_connection_close_after(), for an answer that is
// still to come. That the client has gone altogether shows when it is written to.
void sp_connection_linger(struct sp_connection *connection);
// Closes with the next turn of the loop, whatever is queued.
void sp_connection_abort(struct sp_connection *connection);
// What it waits for from now on, and for how long. A new one waits for a request.
void sp_connection_wait_for(struct sp_connection *connection, enum sp_wait_for what);
// What client and daemon have agreed to speak. Never changes.
static inline enum sp_alpn sp_connection_alpn(const struct sp_connection *connection)
{
    const struct sp_tls *tls = connection->transport.tls;
    return tls == NULL ? SP_ALPN_NONE : sp_tls_alpn(tls);
}
// It is over TLS.
static inline bool sp_connection_is_secure(const struct sp_connection *connection)
{
    return connection->transport.tls != NULL;
}

// ---- For the server ---------------------------------------------------------------

// `protocol`, `serve`, `closed` and `budget` are set already; `doors` and `counts`
// before the first one opens. `limits_ms` by what is waited for.
void sp_connections_init(struct sp_connections *all,
                         struct sp_loop *loop,
                         const uint32_t limits_ms[SP_WAITS]);
// Closes all of them.
void sp_connections_fini(struct sp_connections *all);
// Begins to serve a socket that does not block. Takes `fd`, copies `peer`. SYSTEM,
// NO_MEMORY.
snakepit_err
sp_connection_open(struct sp_connections *all, int fd, const struct sp_peer *peer);
// Closes each as soon as what it has begun is answered, which may be what has come just
// now. Not from a protocol.
void sp_connections_drain(struct sp_connections *all);
// Closes the one that has waited longest for its client to close, or else for a
// request, at once. False: each is at work. Not from a protocol.
bool sp_connections_drop_idle(struct sp_connections *all);

#endif
