// SPDX-License-Identifier: MIT
// Percent-encoding, in paths and queries.
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

// Decodes `text` into `room` of `size` bytes, with a zero behind it. False: an escape
// is not one, a byte is zero, or it does not fit.
bool sp_percent_decode(struct sp_slice text, char *room, size_t size);

// Appends `text` encoded, so that it stands for itself in a path. NO_MEMORY.
snakepit_err sp_percent_encode(struct sp_buf *out, const char *text);

// The value of `name` in a query ("verbose&ttl_ms=5"), still encoded; NULL data: it is
// not there. Of several the first. One without '=' is empty.
struct sp_slice sp_query_find(struct sp_slice query, const char *name);

#endif
