// SPDX-License-Identifier: MIT
// Messages so large that to read them would keep the loop from its other connections: a
// thread of the server reads them, and the handler goes on when that is done.
#ifndef SERVICES_LARGE_H
#define SERVICES_LARGE_H

#include "base/slice.h"
#include "server/offload.h"
#include "services/call.h"

struct sp_budget;
struct sp_grpc_large;

struct sp_grpc_large_ops {
    size_t size; // of the struct that begins with the large message
    // On a thread of the server: reads `message`, which lives until `fini`.
    void (*read)(struct sp_grpc_large *large, struct sp_slice message);
    // On the loop, when it was read, as a handler: `call->state` is the large message.
    sp_grpc_fn *then;
    // Frees what the struct holds beside it.
    void (*fini)(struct sp_grpc_large *large);
};

// The first member of what the message is to become. Owner: the thread, until it is
// done; `call` is the loop's.
struct sp_grpc_large {
    struct sp_offload_work work;
    struct sp_grpc_call *call; // NULL: nobody waits any more
    const struct sp_grpc_large_ops *ops;
    const struct sp_serve_config *config;
    struct sp_buf bytes;           // of the message
    struct sp_early_tensor *early; // of them
    struct sp_budget *budget;
    size_t counted; // of it, since nobody waits any more
};

// Takes the message of the call and has it read.
void sp_grpc_large_begin(struct sp_grpc_call *call,
                         const struct sp_grpc_large_ops *ops);

#endif
