// SPDX-License-Identifier: MIT
// What the HTTP doors answer: the rows of front/routes.def. Knows requests and the pit,
// and neither sockets nor protocols.
#ifndef FRONT_API_H
#define FRONT_API_H

#include "front/exchange.h"

// Answers any request: by its route, or with a problem document. An sp_handler_fn.
void sp_api_handle(struct sp_exchange *exchange);

#endif
