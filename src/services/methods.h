// SPDX-License-Identifier: MIT
// The rows of services/methods.def.
#ifndef SERVICES_METHODS_H
#define SERVICES_METHODS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "config/access.h"

struct sp_grpc_call;
struct sp_serve_config;

// Answers a call; see services/call.h. `message` is borrowed until it returns.
typedef void sp_grpc_fn(struct sp_grpc_call *call, struct sp_slice message);

#define SP_GRPC_SERVICE(service)
#define SP_GRPC_METHOD(service, name, kind, handler, access, summary) \
    sp_grpc_fn sp_grpc_##handler;
#include "services/methods.def"
#undef SP_GRPC_METHOD
#undef SP_GRPC_SERVICE

// The original's contract, which only daemons that are asked to serve.
#define SP_BRIDGE_SERVICE "snakepit.bridge.BridgeService"

enum sp_grpc_kind {
    SP_GRPC_UNARY = 0,
    SP_GRPC_STREAM,
    SP_GRPC_DUPLEX,
};

// Bytes of a message that may come from anybody: what is small is not counted, and so
// takes nothing of what others have.
#define SP_GRPC_OPEN_MOST 4096u

struct sp_grpc_method {
    struct sp_slice path; // "/package.Service/Method", with a zero behind it
    enum sp_grpc_kind kind;
    sp_grpc_fn *handler;
    enum sp_access access;
    const char *summary;
    size_t most_bytes; // of its message; 0: as `serve: max_message`
};

// NULL: there is none at this path.
const struct sp_grpc_method *sp_grpc_method_find(struct sp_slice path);
// NULL: there are no more.
const struct sp_grpc_method *sp_grpc_method_at(size_t index);
// The names of the services, in the order of the rows. NULL: there are no more.
const char *sp_grpc_service_at(size_t index);
// Whether a daemon of this configuration serves what begins with the name of a service:
// that of the original's contract only if it is asked for.
bool sp_grpc_is_served(const struct sp_serve_config *config, struct sp_slice name);

#endif
