// SPDX-License-Identifier: MIT
// Server-sent events, as bytes.
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "base/slice.h"

// Appends one event. `name` NULL: one of the default type, "message"; it holds no end
// of line. Each line of `data` becomes a line of the event, whatever ends it.
// NO_MEMORY: `out` is as it was.
snakepit_err sp_sse_event(struct sp_buf *out, const char *name, struct sp_slice data);

// What keeps a quiet stream's connection from being taken for a dead one. NO_MEMORY.
snakepit_err sp_sse_comment(struct sp_buf *out);

#endif
