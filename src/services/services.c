// SPDX-License-Identifier: MIT
#include "services/services.h"

#include "api/api.h"
#include "services/grpc.h"

bool sp_services_stream(const struct sp_exchange *exchange)
{
    return sp_grpc_is_asked(exchange);
}

bool sp_services_admit(struct sp_exchange *exchange)
{
    return sp_grpc_is_asked(exchange) || sp_api_admits(exchange);
}

void sp_services_handle(struct sp_exchange *exchange)
{
    exchange->request.grpc = sp_grpc_is_asked(exchange);
    if (exchange->request.grpc) {
        sp_grpc_handle(exchange);
    } else {
        sp_api_handle(exchange);
    }
}
