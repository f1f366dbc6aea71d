// SPDX-License-Identifier: MIT
// Streams as server-sent events.
#ifndef FRONT_API_EVENTS_H
#define FRONT_API_EVENTS_H

#include "front/api_stream.h"

extern const struct sp_api_stream_form sp_api_events;

#endif
