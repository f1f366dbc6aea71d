// SPDX-License-Identifier: MIT
// Calls whose chunks are sent as server-sent events while they come.
#ifndef FRONT_API_STREAM_H
#define FRONT_API_STREAM_H

#include "front/api_ask.h"

// Begins the stream and answers the exchange, now or later.
void sp_api_stream(struct sp_exchange *exchange, struct sp_api_ask *ask);

#endif
