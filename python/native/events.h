// SPDX-License-Identifier: MIT
// What an adapter says of itself, on its way to the host: see ipc/events.h.
#ifndef NATIVE_EVENTS_H
#define NATIVE_EVENTS_H

#include "state.h"

// Hands `event` to the host, encoded as process/event.h describes; never waits for it.
// Any thread that is attached to the interpreter, whether it runs a call or not. An
// event that finds no room is dropped and counted; if the host wants none, and in a
// forked child, it is only checked. -1 with an exception: it cannot be encoded without
// markers, holds arrays, or is longer than SP_EVENT_MAX.
int sp_events_emit(struct sp_runtime *runtime, PyObject *event);

#endif
