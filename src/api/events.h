// SPDX-License-Identifier: MIT
// Streams as server-sent events.
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "api/stream.h"

extern const struct sp_api_stream_form sp_api_events;

#endif
