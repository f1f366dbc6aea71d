// SPDX-License-Identifier: MIT
// What keeps the one seat of a connected pit's pool: shared memory with the daemon. It
// is asked for when a call waits, and again when the daemon was lost and found.
//
// Owner: the loop thread, or the one that makes it before that runs.
#ifndef REMOTE_CIRCUIT_H
#define REMOTE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pool/pool.h"
#include "remote/daemon.h"

enum sp_circuit_state {
    SP_CIRCUIT_CLOSED,  // nobody has wanted one
    SP_CIRCUIT_OPENING, // it was asked for
    SP_CIRCUIT_OPEN,    // the pool has a seat
};

struct sp_circuit {
    struct sp_daemon *daemon; // constant, as the next two are
    struct sp_pool *pool;
    // A seat's doorbell joins or leaves those that wake whoever drains.
    void (*doorbell)(void *user, int fd, bool joins);
    // It has stopped, and the pool has no seat any more. Once.
    void (*stopped)(void *user);
    void *user;
    bool has_stopped;
    enum sp_circuit_state state;
    uint64_t number;      // the daemon's for it, while it is not CLOSED
    struct sp_seat *seat; // while it is OPEN
    int doorbell_fd;
    bool broken; // the daemon has said there what makes no sense
};

// For each tick of the loop: asks for one where a call waits, and does what the pool
// wants done. Returns whether it wants to be called again.
bool sp_circuit_tick(struct sp_circuit *circuit, uint64_t now);
// What the daemon has said of the number that is its own. `parts` are taken.
void sp_circuit_opened(struct sp_circuit *circuit, struct sp_port_parts parts);
void sp_circuit_unopened(struct sp_circuit *circuit, snakepit_err err, const char *why);
// The daemon takes no further calls: what it has not begun waits for another one.
void sp_circuit_leave(struct sp_circuit *circuit);
// The daemon is gone: what it ran has failed, what it had not begun waits for another
// one.
void sp_circuit_lost(struct sp_circuit *circuit, const char *why);
// The pool is closing, and none of its calls is left. Twice is fine.
void sp_circuit_stop(struct sp_circuit *circuit);

#endif
