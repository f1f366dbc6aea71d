// SPDX-License-Identifier: MIT
// Listening sockets, as `serve.listen` names them.
#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <snakepit/payload.h>

#include "config/config.h"
#include "server/exchange.h"
#include "server/systemd.h"
#include "server/tls_context.h"
#include "server/token_store.h"
#include "server/users.h"

// A listener: one socket that clients come through. Constant once it is open.
struct sp_door {
    const struct sp_listener_config *config;
    struct sp_tls_context *tls;    // NULL: what is sent is not encrypted
    struct sp_token_store *tokens; // of which a client must show one; NULL: of none
    struct sp_users *users;        // who alone may call; NULL: who can connect
    int fd;
    bool packets;      // `door: local`: no stream of bytes
    bool local;        // loopback or a Unix socket
    bool inside;       // whoever is another process is sent away
    bool in_use;       // of sp_doors_probe(): somebody listens there
    char address[128]; // as it is bound: "127.0.0.1:8470"
    char path[108];    // of a Unix socket that is ours to remove; else ""
    dev_t device;      // of that path, while it is ours
    ino_t inode;
};

struct sp_doors {
    struct sp_door *items;
    size_t count;
};

// Opens all of them, or none. Keeps `listeners`; uses up what it takes of `activation`,
// which may be NULL. INVALID_CONFIG: an address that is in use, not of this machine, or
// not for this user, a socket that nobody has handed over, one that other machines
// reach without what keeps them out, a file of `tls` or tokens that is not right, or a
// user that is not there; `why` names it and the key. SYSTEM, NO_MEMORY.
snakepit_err sp_doors_open(const struct sp_listeners *listeners,
                           struct sp_activation *activation,
                           struct sp_doors *doors,
                           snakepit_message *why);
// One door for clients in this very process: a Unix socket whose name, which the kernel
// chooses, is in no folder, so that nothing of it can stay behind. Its address is '@'
// and that name. SYSTEM, NO_MEMORY.
snakepit_err sp_doors_inside(struct sp_doors *doors, snakepit_message *why);
// As sp_doors_open(), only to look: an address where somebody listens is no failure;
// its door says so, and is not open.
snakepit_err sp_doors_probe(const struct sp_listeners *listeners,
                            struct sp_activation *activation,
                            struct sp_doors *doors,
                            snakepit_message *why);
// Reads the files of `tls` and tokens of each listener, looks its users up, and binds
// nothing: a door for each without a socket. INVALID_CONFIG, NO_MEMORY.
snakepit_err sp_doors_read_files(const struct sp_listeners *listeners,
                                 struct sp_doors *doors,
                                 snakepit_message *why);
// Closes the sockets, and removes the paths of those that it has made. What clients
// know of their door stays. Twice is fine.
void sp_doors_close(struct sp_doors *doors);
// The same, and nothing stays. Zeroed is fine.
void sp_doors_free(struct sp_doors *doors);

// Accepts the next client, as a socket that does not block, and says who it is. -1,
// with errno: EAGAIN, there is none.
int sp_door_accept(const struct sp_door *door, struct sp_peer *peer);

#endif
