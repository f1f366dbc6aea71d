// SPDX-License-Identifier: MIT
// Clients that are no streams of bytes: those of a listener with `door: local`. The
// loop accepts and counts them; all the rest is the matter of whoever is behind these
// functions, which run on the thread of the loop.
#ifndef SERVER_PACKETS_H
#define SERVER_PACKETS_H

#include <stdbool.h>

#include <snakepit/errors.h>

struct sp_peer;
struct sp_serve_loop;

struct sp_packet_ops {
    // Makes what a loop needs: `packets` of it. NO_MEMORY.
    snakepit_err (*prepare)(struct sp_serve_loop *loop);
    // Serves a client. Takes `fd`, a socket of the kind SOCK_SEQPACKET that does not
    // block, and copies `peer`. Once it is closed, sp_serve_loop_closed(). NO_MEMORY,
    // SYSTEM.
    snakepit_err (*open)(struct sp_serve_loop *loop,
                         int fd,
                         const struct sp_peer *peer);
    // Takes what has come without a descriptor's telling, before the loop waits. True:
    // there was something, and more may be there.
    bool (*look)(struct sp_serve_loop *loop);
    // There is nothing more to do: has clients tell by a descriptor from now on. True:
    // something has come meanwhile.
    bool (*sleep)(struct sp_serve_loop *loop);
    // Each is closed as soon as what it has begun is answered. Called again and again.
    void (*drain)(struct sp_serve_loop *loop);
    // Closes the client that has waited longest without a call; false: there is none.
    bool (*drop_idle)(struct sp_serve_loop *loop);
    // Closes all of them, and frees what prepare() has made. Twice is fine.
    void (*finish)(struct sp_serve_loop *loop);
};

#endif
