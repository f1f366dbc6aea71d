// SPDX-License-Identifier: MIT
// A pit whose pools are those of a daemon on the same machine. Processes that come and
// go, or of which there are many, so share one set of workers. See docs/local-door.md.
#ifndef SNAKEPIT_CONNECT_H
#define SNAKEPIT_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

struct snakepit_open_options;

typedef struct snakepit_connect_options {
    size_t size; // see Options in snakepit.h
    // The log, and what else snakepit_open_file() takes; NULL: nothing is set.
    const struct snakepit_open_options *open;
    uint32_t timeout_ms; // that the daemon may take to answer, now and later; 0: 5000
    bool reconnect;      // a daemon that was lost is looked for again; see below
    uint64_t shared_memory; // bytes, at most, for the arguments of calls to one pool;
                            // what is not used takes nothing. 0: 1 GiB
} snakepit_connect_options;

// Connects to the daemon that listens at `address`, "unix:/run/snakepit/local.sock":
// an item of its `serve: listen` with `door: local`. The pit works like one that was
// opened, but its calls run in the daemon's pools, which go on when it is closed.
// Close with snakepit_close(). `options` and `why` may be NULL.
//
// When the daemon dies or drops the client, calls that had begun end with DAEMON_LOST.
// With `reconnect` others wait for the next daemon, until their time is up, and go on
// there; without, they end likewise, and so does every later call.
//
// With `reconnect` there may be no daemon yet: the pit has its pools once it has come,
// which snakepit_await_serving() waits for; calls before that end with UNREACHABLE.
//
// The callbacks of `open` are told what happens in the daemon: notices, events, ends of
// sessions. Not snakepit_reload_file(): the file is the daemon's.
//
// UNREACHABLE: nobody listens there, or does not answer in time. DENIED: this user may
// not. PROTOCOL: the daemon is of another version. INVALID_ARGUMENT, SYSTEM, NO_MEMORY.
// On failure `*pit` stays as it is.
SNAKEPIT_API snakepit_err snakepit_connect(const char *address,
                                           const snakepit_connect_options *options,
                                           snakepit **pit,
                                           snakepit_message *why);

#ifdef __cplusplus
}
#endif

#endif
