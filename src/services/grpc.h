// SPDX-License-Identifier: MIT
// The gRPC door: the same calls as over HTTP, as methods of services. The rows are in
// services/methods.def.
#ifndef SERVICES_GRPC_H
#define SERVICES_GRPC_H

#include "server/exchange.h"

struct sp_grpc_method;

// Whether a request is gRPC, by its content type. HTTP/1.1 has no gRPC.
bool sp_grpc_is_asked(const struct sp_exchange *exchange);
// Answers one that is, once it is known that its client may ask at all. All of them
// take bodies that stream, where the protocol has them.
void sp_grpc_handle(struct sp_exchange *exchange);
// The same for a program with methods of its own: `method` is what it has at the path
// of the request, and is kept; NULL: nothing.
void sp_grpc_handle_with(struct sp_exchange *exchange,
                         const struct sp_grpc_method *method);

#endif
