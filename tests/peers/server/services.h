// SPDX-License-Identifier: MIT
// Test services that programs of others call, on the gRPC of the daemon.
#ifndef PEERS_SERVICES_H
#define PEERS_SERVICES_H

#include "server/exchange.h"
#include "services/methods.h"

// The functions of a server; see server/server.h.
bool peers_stream(const struct sp_exchange *exchange);
void peers_handle(struct sp_exchange *exchange);

// connectrpc.conformance.v1.ConformanceService
sp_grpc_fn peers_unary;
sp_grpc_fn peers_server_stream;
sp_grpc_fn peers_client_stream;
sp_grpc_fn peers_bidi_stream;

// grpc.testing.TestService
sp_grpc_fn peers_empty_call;
sp_grpc_fn peers_unary_call;
sp_grpc_fn peers_streaming_output_call;
sp_grpc_fn peers_streaming_input_call;
sp_grpc_fn peers_full_duplex_call;

#endif
