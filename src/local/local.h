// SPDX-License-Identifier: MIT
// The local door, from the daemon's side; what both sides share is in ipc/local.h. A
// program of this machine connects, opens a circuit for each pool that it calls, and
// from then on calls cross shared memory alone.
//
// What a client says is loaded once, checked, and then used; nothing of the daemon's is
// ever read back from what a client can write. Nothing here waits for one.
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "server/packets.h"

struct sp_local; // what all loops of a server share

// For `packets` and `packets_user` of struct sp_server_options.
extern const struct sp_packet_ops sp_local_ops;

// NULL: no memory.
struct sp_local *sp_local_new(void);
// After snakepit_close(), which reports the calls that are left. NULL is fine.
void sp_local_free(struct sp_local *local);

// What the pit and the daemon tell, for programs that have asked for that: a sp_log_fn,
// a snakepit_event_fn and a snakepit_session_ended_fn. `user` is the struct sp_local.
void sp_local_hear(void *user, const struct sp_notice *notice);
void sp_local_hear_event(void *user, const snakepit_event *event);
void sp_local_hear_session(void *user,
                           const char *session,
                           snakepit_session_end reason);

#endif
