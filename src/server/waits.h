// SPDX-License-Identifier: MIT
// How long a connection may wait for its client. All that wait for the same thing wait
// equally long, so those that have waited longest are first in their list, and one
// timer looks after all of them.
//
// Owner: the thread of the loop.
#ifndef SERVER_WAITS_H
#define SERVER_WAITS_H

#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"

// What a connection waits for; each has its time, `serve:` in the configuration.
enum sp_wait_for {
    SP_WAIT_NOTHING = 0, // a tool works: the call's own deadline holds
    SP_WAIT_REQUEST,     // idle_timeout_ms: the first byte of the next request
    SP_WAIT_HEADER, // header_timeout_ms: from its first byte to the end of its header
    SP_WAIT_BODY,   // body_timeout_ms: the next bytes of its body
    SP_WAIT_CLIENT, // write_timeout_ms: that the client takes what it was sent. The
                    // connection sees to that by itself
    SP_WAIT_END,    // 2 s: that the client closes as well. Likewise
    SP_WAIT_HANDSHAKE, // header_timeout_ms: the handshake of TLS
    SP_WAITS,
};

// One that waits. Zeroed: it does not.
struct sp_wait {
    struct sp_link link;
    uint64_t since; // ns of sp_clock_now()
    enum sp_wait_for what;
};

typedef void sp_late_fn(struct sp_wait *wait, enum sp_wait_for what);

struct sp_waits {
    struct sp_loop *loop;
    uint32_t limits_ms[SP_WAITS]; // 0: for ever
    sp_late_fn *late;
    struct sp_link lists[SP_WAITS]; // oldest first
    struct sp_timer sweep;
};

// Calls `late` for each wait that has lasted too long; by then it waits for nothing.
void sp_waits_init(struct sp_waits *waits,
                   struct sp_loop *loop,
                   const uint32_t limits_ms[SP_WAITS],
                   sp_late_fn *late);
// Nothing may wait any more.
void sp_waits_fini(struct sp_waits *waits);

// Waits for `what` from now on, and for what it waited before no longer.
void sp_wait_begin(struct sp_waits *waits, struct sp_wait *wait, enum sp_wait_for what);
// Is in no list any more.
void sp_wait_end(struct sp_wait *wait);

#endif
