// SPDX-License-Identifier: MIT
// Which methods there are. `Unimplemented` and `UnimplementedCall` are not: that is
// what they are for.
#include "peers/server/services.h"

#include <string.h>

#include "api/reply.h"
#include "services/grpc.h"

#define METHOD(service, name, kind, handler)                                    \
    {{(const uint8_t *)"/" service "/" name, sizeof("/" service "/" name) - 1}, \
     SP_GRPC_##kind,                                                            \
     handler,                                                                   \
     SP_ACCESS_OPEN,                                                            \
     "",                                                                        \
     0}
#define CONFORMANCE "connectrpc.conformance.v1.ConformanceService"
#define TESTING     "grpc.testing.TestService"

static const struct sp_grpc_method methods[] = {
    METHOD(CONFORMANCE, "Unary", UNARY, peers_unary),
    METHOD(CONFORMANCE, "IdempotentUnary", UNARY, peers_unary),
    METHOD(CONFORMANCE, "ServerStream", STREAM, peers_server_stream),
    METHOD(CONFORMANCE, "ClientStream", DUPLEX, peers_client_stream),
    METHOD(CONFORMANCE, "BidiStream", DUPLEX, peers_bidi_stream),
    METHOD(TESTING, "EmptyCall", UNARY, peers_empty_call),
    METHOD(TESTING, "UnaryCall", UNARY, peers_unary_call),
    METHOD(TESTING, "StreamingOutputCall", STREAM, peers_streaming_output_call),
    METHOD(TESTING, "StreamingInputCall", DUPLEX, peers_streaming_input_call),
    METHOD(TESTING, "FullDuplexCall", DUPLEX, peers_full_duplex_call),
};

static const struct sp_grpc_method *find(struct sp_slice path)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i].path.size == path.size &&
            memcmp(methods[i].path.data, path.data, path.size) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

bool peers_stream(const struct sp_exchange *exchange)
{
    return sp_grpc_is_asked(exchange);
}

void peers_handle(struct sp_exchange *exchange)
{
    exchange->request.grpc = sp_grpc_is_asked(exchange);
    if (exchange->request.grpc) {
        sp_grpc_handle_with(exchange, find(exchange->request.path));
    } else {
        sp_api_refuse(exchange, 415, "everything here is a call of gRPC");
    }
}
