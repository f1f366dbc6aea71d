// SPDX-License-Identifier: MIT
// What the files of this module share.
#ifndef REMOTE_INSIDE_H
#define REMOTE_INSIDE_H

#include <stdatomic.h>

#include "remote/daemon.h"

// ---- socket.c -----------------------------------------------------------------

// Connects to the daemon's socket. UNREACHABLE, DENIED, SYSTEM; `why` says what to do.
snakepit_err sp_socket_connect(const char *path, int *fd, snakepit_message *why);
// Waits until there is something to read or, with `write`, room to write; until
// `deadline` (CLOCK_MONOTONIC ns). False: not in time.
bool sp_socket_wait(int fd, bool write, uint64_t deadline);

// ---- pools.c ------------------------------------------------------------------

// Reads {"pools": [...]}. PROTOCOL, NO_MEMORY.
snakepit_err sp_remote_pools_read(const snakepit_reader *map,
                                  struct sp_remote_pools *pools);
// A text of a map, cut to `room` bytes and fit for a log. False: it has none.
bool sp_remote_text(const snakepit_reader *map,
                    const char *key,
                    char *text,
                    size_t room);
// A number of a map from 0 to `most`; else `otherwise`.
uint64_t sp_remote_number(const snakepit_reader *map,
                          const char *key,
                          uint64_t most,
                          uint64_t otherwise);

// ---- asks.c -------------------------------------------------------------------

// Questions that are under way. Guarded by its lock.
struct sp_asks {
    pthread_mutex_t lock;
    struct sp_link waiting;
    uint64_t last_ticket;
    snakepit_err refuses; // what a new one is refused with; OK: nothing
    snakepit_message why; // a sentence about that; or empty
    bool found;           // there was a daemon before
};

void sp_asks_init(struct sp_asks *asks);
void sp_asks_fini(struct sp_asks *asks);
// From now on questions are asked, or refused with `err`, which also ends those that
// wait.
void sp_asks_begin(struct sp_asks *asks);
void sp_asks_end(struct sp_asks *asks, snakepit_err err);
// What they are refused with as long as no daemon was there at all.
void sp_asks_miss(struct sp_asks *asks, snakepit_err err, const char *why);
// Asks the daemon that is there for what is followed, and waits for no answer. Where
// the loop runs its thread.
void sp_daemon_ask_to_follow(struct sp_daemon *daemon);
// The answer to one of them has come. PROTOCOL: it makes no sense.
snakepit_err sp_asks_take(struct sp_asks *asks, struct sp_slice message);

// ---- daemon.c -----------------------------------------------------------------

struct sp_daemon {
    char *path; // constant, as the next three are
    struct sp_daemon_options options;
    struct sp_inbox *inbox;
    struct sp_loop *loop; // NULL: none serves it
    int fd; // -1: the daemon is lost. Changed with the lock of `asks` held
    struct sp_watch watch;
    struct sp_timer again; // when the daemon is looked for
    struct sp_timer late;  // when one that was greeted has to have answered
    uint32_t pause_ms;     // until it is looked for once more
    bool greeted;          // its welcome is still to come
    bool leaving;          // it takes no further calls
    char version[64];      // of the daemon
    uint64_t last_circuit;
    _Atomic bool records;  // calls that end are to be recorded there
    _Atomic bool sessions; // ends of sessions are to be told, whatever `follow` says
    struct sp_asks asks;
};

#endif
