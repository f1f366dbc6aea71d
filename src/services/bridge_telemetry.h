// SPDX-License-Identifier: MIT
// Events of the daemon as the original's hosts read them.
#ifndef SERVICES_BRIDGE_TELEMETRY_H
#define SERVICES_BRIDGE_TELEMETRY_H

#include <snakepit/payload.h>

#include "grpc/messages.h"
#include "protobuf/scratch.h"
#include "telemetry/event_ring.h"

// An event, and what it is called: by its row, or, if an adapter told it, by that.
struct sp_bridge_told {
    struct sp_slice name;
    struct sp_bridge_telemetry_event event;
};

// Fills `told`, which borrows from all the others; `writer` is used for it alone.
// NO_MEMORY.
snakepit_err sp_bridge_tell(const struct sp_kept_event *event,
                            snakepit_writer *writer,
                            struct sp_scratch *scratch,
                            struct sp_bridge_told *told);

#endif
