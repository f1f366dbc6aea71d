// SPDX-License-Identifier: MIT
// What the daemon serves: its API over HTTP (api/api.h), and the same over gRPC. These
// are the functions of its server; see server/server.h.
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H

#include <stdbool.h>

#include "server/exchange.h"

// Messages of gRPC are read as they come.
bool sp_services_stream(const struct sp_exchange *exchange);
bool sp_services_admit(struct sp_exchange *exchange);
void sp_services_handle(struct sp_exchange *exchange);

#endif
