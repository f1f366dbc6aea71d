// SPDX-License-Identifier: MIT
// What the files of the original's contract (proto/snakepit_bridge.proto) share. Its
// methods are served where `serve: compatibility` has "bridge".
#ifndef SERVICES_BRIDGE_H
#define SERVICES_BRIDGE_H

#include "api/ask.h"
#include "grpc/messages.h"
#include "protobuf/scratch.h"
#include "services/call.h"

// What the tools of a pool are, from the table that a worker has answered with. It
// borrows from `table` and `scratch`. MALFORMED, NO_MEMORY.
struct sp_bridge_tools {
    struct sp_bridge_tool_spec *items;
    size_t count;
};
snakepit_err sp_bridge_tools_read(const snakepit_reader *table,
                                  struct sp_scratch *scratch,
                                  struct sp_bridge_tools *tools);

// JSON in an Any, as the original has it. `json` is borrowed.
struct sp_pb_any sp_bridge_any(struct sp_slice json);

// The value that comes next as JSON, in `scratch`; empty: it has none.
struct sp_slice sp_bridge_json(snakepit_reader reader, struct sp_scratch *scratch);

// A fault as the JSON that the original's hosts read, in `scratch`. Where that is over
// `most` bytes, the stacks are left out, and then most of the message. Empty without
// memory.
struct sp_slice sp_bridge_fault(const snakepit_fault *fault,
                                bool insight,
                                size_t most,
                                struct sp_scratch *scratch);

// What a call of a tool has in both directions: x-snakepit-correlation-id of the
// request; empty: it has none.
struct sp_slice sp_bridge_correlation(const struct sp_exchange *exchange);

#endif
