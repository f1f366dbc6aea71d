// SPDX-License-Identifier: MIT
// A request of a gRPC client, and what the handlers of methods stand on. They run on
// the loop of their exchange.
//
// A handler is called once the message of the request is whole (of a DUPLEX method:
// once its headers are, without a message), and answers the exchange, now or later. An
// answer that comes later by sp_api_submit() or sp_api_stream() is theirs to give. One
// of another kind holds its call: sp_grpc_hold().
#ifndef SERVICES_CALL_H
#define SERVICES_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/slice.h"
#include "grpc/frame.h"
#include "grpc/reply.h"
#include "grpc/status.h"
#include "protobuf/scratch.h"
#include "server/exchange.h"
#include "services/methods.h"

struct sp_api_loop;
struct sp_early_tensor;
struct sp_grpc_call;
struct sp_grpc_unpacking;
struct sp_large_path;

// What becomes of a call that is held. Any of them may be NULL.
struct sp_grpc_holder {
    // Of a DUPLEX method: the next message of the client, borrowed. It waits while the
    // client does not read what it was sent.
    void (*message)(struct sp_grpc_call *call, struct sp_slice message);
    // The client sends nothing more. NULL: the call ends with OK.
    void (*complete)(struct sp_grpc_call *call);
    // Four times a second.
    void (*look)(struct sp_grpc_call *call);
    // The call is over: frees what `state` is.
    void (*over)(struct sp_grpc_call *call);
    bool stays; // also while the daemon drains
};

// From the headers to the handler, or to its end if that holds it. Owner: the loop of
// its exchange.
struct sp_grpc_call {
    struct sp_link link; // of sp_api_loop.held, while it is held
    struct sp_api_loop *loop;
    struct sp_exchange *exchange;
    const struct sp_grpc_method *method;
    uint64_t begun_ns;
    uint64_t timeout_ms; // if it is `limited`
    bool limited;
    bool gzip;         // what is compressed is compressed so
    bool there;        // the message is
    bool complete;     // the body is
    bool begun;        // the answer is
    bool over;         // the exchange is no more
    bool busy;         // a function of its holder runs
    uint64_t since_ns; // a message comes that is not whole; 0: none does
    struct sp_grpc_reader reader;
    struct sp_scratch scratch;           // for what is read of a message
    snakepit_writer *writer;             // likewise; NULL: none
    const struct sp_large_path *tensors; // where its message has them; NULL: nowhere
    struct sp_early_tensor *early;       // of its message; NULL: none
    struct sp_grpc_unpacking
        *unpacking;           // its message, beside the loop; NULL: it is not
    struct sp_counted plain;  // a message that came compressed
    struct sp_counted unread; // of a DUPLEX method: what has come and is not read yet
    const struct sp_grpc_holder *holder; // NULL: it is not held
    void *state;                         // of the holder
    struct sp_task late; // starts the next, if the message does not come at once
    struct sp_timer deadline;
};

// One that has just come. NULL: without memory.
struct sp_grpc_call *sp_grpc_call_new(struct sp_exchange *exchange,
                                      const struct sp_grpc_method *method);
// One that has not begun; NULL is fine.
void sp_grpc_call_free(struct sp_grpc_call *call);
// Takes the call, and reads the body of its exchange.
void sp_grpc_call_begin(struct sp_grpc_call *call);
// Frees the one that a loop has kept; NULL is fine.
void sp_grpc_call_drop(struct sp_grpc_call *call);

// ---- For handlers ---------------------------------------------------------------

// When its client waits no longer, ns of sp_clock_now(); 0: it has not said.
uint64_t sp_grpc_ends_ns(const struct sp_grpc_call *call);

// Keeps the call until it is ended, its client goes, its time is up, or the daemon
// drains. Once, from its handler. `holder` is kept.
void sp_grpc_hold(struct sp_grpc_call *call, const struct sp_grpc_holder *holder);

// Moves the message that the handler was called with into `bytes`, which is empty; and
// gives what was put aside of it, or NULL.
struct sp_early_tensor *sp_grpc_take_message(struct sp_grpc_call *call,
                                             struct sp_buf *bytes);
// Holds it no longer, and calls `handler` as if its message had just come, with none.
// `over` is not called. Not from a function of its holder.
void sp_grpc_resume(struct sp_grpc_call *call, sp_grpc_fn *handler);

// These are for a call that is held.

// Begins the answer, for a client that waits for headers.
void sp_grpc_open(struct sp_grpc_call *call);
// The same with metadata, borrowed.
void sp_grpc_open_with(struct sp_grpc_call *call, struct sp_grpc_metadata metadata);
// Sends a message, framed. False: there was no memory, and the call has ended.
bool sp_grpc_send(struct sp_grpc_call *call, struct sp_slice message);
// Ends it. Nothing of it may be used any more, but what runs now may return.
void sp_grpc_finish(struct sp_grpc_call *call,
                    enum sp_grpc_code code,
                    const char *message);
// The same of one whose answer has begun, with metadata, borrowed. The status has been
// set, and is empty then.
void sp_grpc_finish_with(struct sp_grpc_call *call,
                         struct sp_grpc_status *status,
                         struct sp_grpc_metadata metadata);

#endif
