// SPDX-License-Identifier: MIT
// The rows of services/methods.def.
#ifndef SERVICES_METHODS_H
#define SERVICES_METHODS_H

#include <stdbool.h>

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

enum sp_grpc_kind {
    SP_GRPC_UNARY = 0,
    SP_GRPC_STREAM,
    SP_GRPC_DUPLEX,
};

struct sp_grpc_method {
    struct sp_slice path; // "/package.Service/Method", with a zero behind it
    enum sp_grpc_kind kind;
    sp_grpc_fn *handler;
    enum sp_access access;
    const char *summary;
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
