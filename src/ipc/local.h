// SPDX-License-Identifier: MIT
// The local door: what a daemon and a client of the same machine share.
//
// They are connected by a Unix socket of the kind SOCK_SEQPACKET, with the packets of
// ipc/channel.h. Calls cross shared memory, as layout.h describes it, for each pool
// apart: the client is in the place of the host, the daemon in that of the worker. So
// the client submits, waits, cancels and reads streams as a host does. A *circuit* is
// such a piece of shared memory, between one client and one pool.
//
//     client                                    daemon
//       GREETING                  ------>         who is it? the kernel says
//                                 <------         WELCOME, or REFUSED and the end
//       OPEN a circuit, requests  ------>         maps the requests, to read
//                                 <------         OPENED, with four descriptors
//       a call, by a slot         ------>         a call of the pool
//                                 <------         its answer
//       CANCEL, CLOSE, ASK        ------>
//                                 <------         POOLS, ANSWER, NEWS, LEAVING
//
// What differs from a host and its worker:
//
//   - The client makes the segment of requests: what lies in it outlives a daemon.
//   - The daemon makes the rest. It rings by sending a byte to a socket, so that it
//     never waits for what a client may have done to a descriptor.
//   - The client rings by writing to an eventfd, where the bell says that the daemon
//     sleeps, and where it would wake an executor (SP_SLOT_SLEEPER).
//   - `priority` and `idempotent` of a slot are the call's. `executor` of a result
//     says how often the call was tried before.
//   - A fault (SP_STATUS_FAULT) is the map of payload/wire.h with more keys: texts
//     "stage", "cause", "last_output", "crash_stack", "late_stack", and integers
//     "worker", "stop", "tool_runs", "late_ms", "retry_after_ms".
//   - Large tensors of a client of the daemon's own user are not copied: the pool's
//     workers map the client's segment, as a window of layout.h. `held` and the ring of
//     returned requests say what they still read. Those of others, and of calls whose
//     `lease` is none or is with the daemon already, are copied before they are read.
//   - There are no events, no lifeline, no stamps and no stack: the end of the
//     socket is that of the daemon, or of the client.
//
// The daemon believes a client nothing: it loads each word once, checks it, and uses
// the copy. What makes no sense ends the connection and all its calls.
#ifndef IPC_LOCAL_H
#define IPC_LOCAL_H

#include <stdint.h>

#include "ipc/layout.h"

#define SP_LOCAL_MAGIC UINT64_C(0x6c61636f6c707320) // " splocal"

// Types of packets, beside those of a host and its worker. Bodies that are not a struct
// are MessagePack maps.
enum sp_local_message {
    SP_LOCAL_GREETING = 128, // client: struct sp_local_greeting
    SP_LOCAL_WELCOME = 129,  // daemon: {"version", "pid", "pools": see POOLS}
    SP_LOCAL_REFUSED = 130,  // daemon: {"err", "message"}; then it closes
    SP_LOCAL_OPEN = 131, // client: struct sp_local_open and the pool's name, without a
                         // zero; beside it the requests' segment
    SP_LOCAL_OPENED = 132,   // daemon: struct sp_local_opened; with OK beside it
                             // SP_LOCAL_FDS descriptors
    SP_LOCAL_UNOPENED = 133, // daemon: {"circuit", "err", "message"}
    SP_LOCAL_CLOSE = 134,    // client: uint64_t, the circuit: it uses that no more
    SP_LOCAL_CANCEL = 135,   // client: struct sp_local_cancel; stop that call
    SP_LOCAL_POOLS = 136,   // daemon: {"pools": [{"name", "default", "state", "reason",
                            // "call_timeout_ms", "serving"}]}; what has changed or not
    SP_LOCAL_ASK = 137,     // client: struct sp_local_ask, then [what, {...}]
    SP_LOCAL_ANSWER = 138,  // daemon: struct sp_local_ask, then [err, message, value]
    SP_LOCAL_LEAVING = 139, // daemon: no body; it takes no further calls
    SP_LOCAL_NEWS = 140,    // daemon: struct sp_local_news_head, then a map; only what
                            // the client has asked for by the question "follow"
};

struct sp_local_greeting {
    uint64_t magic;   // SP_LOCAL_MAGIC
    uint32_t version; // SP_LAYOUT_VERSION
    uint32_t reserved;
};

struct sp_local_open {
    uint64_t circuit;       // the client's number for it, never used before
    uint64_t requests_size; // bytes of the segment beside it
    uint32_t slots;         // wanted; the daemon may give fewer
    uint32_t name_size;     // bytes that follow
};

// In this order beside OPENED: the control segment, read and write; the results, read
// only; an eventfd, which the client rings; a socket, which the daemon rings.
enum sp_local_fd {
    SP_LOCAL_FD_CONTROL = 0,
    SP_LOCAL_FD_RESULTS = 1,
    SP_LOCAL_FD_BELL = 2,
    SP_LOCAL_FD_DOORBELL = 3,
};
#define SP_LOCAL_FDS 4

struct sp_local_opened {
    uint64_t circuit;
    uint64_t control_size; // bytes of the segments; what is in them says the rest
    uint64_t results_size;
};

struct sp_local_cancel {
    uint64_t circuit;
    uint64_t call;
    uint32_t slot;
    uint32_t reserved;
};

struct sp_local_ask {
    uint64_t ticket; // the client's, repeated by the answer; 0: nobody waits for that
};

// What a client may follow, each with a map.
enum sp_local_topic {
    SP_LOCAL_NOTICE = 1,  // "name", "level", "time_ns", "fields": a map
    SP_LOCAL_EVENT = 2,   // the members of snakepit_event
    SP_LOCAL_SESSION = 3, // "session", "reason"
};

struct sp_local_news_head {
    uint64_t lost; // news before this one that are not there any more: the client was
                   // too slow for them
    uint32_t topic;
    uint32_t reserved;
};

#endif
