// SPDX-License-Identifier: MIT
// What a client of the conformance suite says it is to be answered, and what it is told
// of its request.
#ifndef PEERS_PLAN_H
#define PEERS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "peers/server/messages.h"
#include "protobuf/scratch.h"
#include "services/call.h"

struct peers_headers {
    const struct sp_conf_header *items;
    size_t count;
};

// Zeroed it is that of a client which asks for nothing.
struct peers_plan {
    bool there;
    bool full_duplex; // an answer for each request, as soon as that has come
    struct peers_headers headers;
    struct peers_headers trailers;
    const struct sp_slice *answers;
    size_t count;
    const struct sp_conf_error *error; // NULL: the call ends with OK
    uint32_t delay_ms;                 // before each answer
};

// Reads the first request of a call that has one answer, or any number. The plan
// borrows from both. MALFORMED, NO_MEMORY.
snakepit_err peers_plan_single(struct sp_slice request,
                               struct sp_scratch *scratch,
                               struct peers_plan *plan,
                               snakepit_message *why);
snakepit_err peers_plan_stream(struct sp_slice request,
                               struct sp_scratch *scratch,
                               struct peers_plan *plan,
                               snakepit_message *why);

// What came with the headers of a call. Borrows from the call and the scratch.
// NO_MEMORY.
snakepit_err peers_info(const struct sp_grpc_call *call,
                        struct sp_scratch *scratch,
                        struct sp_conf_info *info);

// The fields that headers are sent as. NO_MEMORY: also of more than an answer may have.
snakepit_err peers_metadata(struct peers_headers headers,
                            struct sp_scratch *scratch,
                            struct sp_grpc_metadata *metadata);

// The status of an error, with its details, and with `info` behind them unless that is
// NULL. NO_MEMORY.
snakepit_err peers_status(const struct sp_conf_error *error,
                          const struct sp_conf_info *info,
                          struct sp_scratch *scratch,
                          struct sp_grpc_status *status);

#endif
