// SPDX-License-Identifier: MIT
// The connection of a client to a daemon of the same machine, see ipc/local.h: the
// socket, who is at its other end, and what goes through it. Calls do not.
//
// Owner: the loop thread from sp_daemon_start() on, but for sp_daemon_ask(). What the
// daemon says is checked: one that makes no sense is lost.
#ifndef REMOTE_DAEMON_H
#define REMOTE_DAEMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "ipc/channel.h"
#include "ipc/local.h"
#include "ipc/segment.h"
#include "port/port.h"

// A pool as the daemon tells of it.
struct sp_remote_pool {
    char name[256];
    char reason[1024]; // why it is not ready; or empty
    uint32_t call_timeout_ms;
    bool is_default;
    bool serves;  // at least one worker takes calls
    bool ready;   // as many as there must be
    bool refuses; // none can be started
};

struct sp_remote_pools {
    struct sp_remote_pool *items;
    size_t count;
};

void sp_remote_pools_free(struct sp_remote_pools *pools);

// What the daemon is to tell besides, see enum sp_local_topic.
struct sp_daemon_follow {
    enum sp_log_level level; // of notices; SP_LOG_OFF: of none
    bool events;
    bool sessions;
};

struct sp_daemon;

// All of them on the loop thread.
struct sp_daemon_hooks {
    // The pools have changed. Borrowed.
    void (*pools)(void *user, const struct sp_remote_pools *pools);
    // A circuit that was asked for is there; the descriptors are the receiver's.
    void (*opened)(void *user, uint64_t circuit, const struct sp_port_parts *parts);
    // Or it is not.
    void (*unopened)(void *user, uint64_t circuit, snakepit_err err, const char *why);
    // It takes no further calls; its end follows when what runs has ended.
    void (*leaving)(void *user);
    // The connection has ended: its circuits are dead.
    void (*lost)(void *user, const char *why);
    // There is another one.
    void (*found)(void *user);
    // It has told what is followed: `body` is a map. PROTOCOL: it makes no sense.
    snakepit_err (*news)(void *user,
                         const struct sp_local_news_head *head,
                         struct sp_slice body);
    void *user;
};

struct sp_daemon_options {
    const char *path;    // of the socket; copied
    bool reconnects;     // looks for the daemon again when it was lost
    uint32_t timeout_ms; // that a daemon may take to answer a greeting or a question
    struct sp_daemon_follow follow;
    struct sp_daemon_hooks hooks;
};

// Connects, greets, and waits for the welcome. UNREACHABLE: nobody listens there, or it
// does not answer in time; where it is looked for again, that is OK, and the pools that
// there are come later. DENIED. PROTOCOL: it is another version, or no daemon. SYSTEM,
// NO_MEMORY. `why` says what to do. `*pools` are the caller's.
snakepit_err sp_daemon_connect(const struct sp_daemon_options *options,
                               struct sp_daemon **daemon,
                               struct sp_remote_pools *pools,
                               snakepit_message *why);
// From now on the loop serves it. SYSTEM.
snakepit_err
sp_daemon_start(struct sp_daemon *daemon, struct sp_loop *loop, snakepit_message *why);
// Ends the connection; the hooks are called no more. Questions end with SHUTTING_DOWN.
// Loop thread, or none runs.
void sp_daemon_stop(struct sp_daemon *daemon);
// After sp_daemon_stop(). NULL is fine.
void sp_daemon_free(struct sp_daemon *daemon);

// The version of the daemon, "0.6.0". Loop thread, or none runs.
const char *sp_daemon_version(const struct sp_daemon *daemon);
bool sp_daemon_is_there(const struct sp_daemon *daemon);
// Why no daemon was there so far: UNREACHABLE, or what it refuses with. OK: there was
// one, though it may be lost now. Any thread.
snakepit_err sp_daemon_missing(struct sp_daemon *daemon, snakepit_message *why);
// Whether it has said that it takes no further calls.
bool sp_daemon_is_leaving(const struct sp_daemon *daemon);
// Of its socket. Any thread, as long as the daemon is.
const char *sp_daemon_path(const struct sp_daemon *daemon);

// Asks for a circuit to a pool, for whose calls `requests` holds what they bring.
// False: it could not be asked now.
bool sp_daemon_open_circuit(struct sp_daemon *daemon,
                            const char *pool,
                            const struct sp_segment *requests,
                            uint32_t slots,
                            uint64_t *circuit);
// It is not used any more.
void sp_daemon_close_circuit(struct sp_daemon *daemon, uint64_t circuit);
// False: ask again.
bool sp_daemon_cancel(struct sp_daemon *daemon,
                      uint64_t circuit,
                      uint64_t call,
                      uint32_t slot);

// Asks `what` of the daemon and waits for the answer. `body` holds one value. Any
// thread but that of the loop. `*answer` is then the caller's, a value to read; it is
// empty after a failure, which `why` explains. DAEMON_LOST, DEADLINE_EXCEEDED, and what
// the daemon says.
snakepit_err sp_daemon_ask(struct sp_daemon *daemon,
                           const char *what,
                           const snakepit_writer *body,
                           struct sp_buf *answer,
                           snakepit_message *why);

// Has the daemon tell of sessions that end, from now on; also the next one. Any thread
// but that of the loop.
void sp_daemon_follow_sessions(struct sp_daemon *daemon);
// Has calls that end recorded there, or no more; also by the next daemon. As
// sp_daemon_ask().
snakepit_err sp_daemon_record(struct sp_daemon *daemon, bool on);

#endif
