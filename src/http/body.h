// SPDX-License-Identifier: MIT
// Values as they cross: JSON as docs/values.md has it, or MessagePack. In MessagePack a
// tensor is {"$tensor": {"dtype": NumPy's name, "shape": [...], "data": bytes of the
// packed elements, little-endian}}, and an ext type of the answer {"$ext": bytes}. A
// map that would be taken for one of these has one "$" more before its key.
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "http/negotiate.h"

// A body: its bytes and what they are, and the most values that it may hold, as `serve:
// max_values` counts them.
struct sp_body {
    struct sp_slice bytes;
    enum sp_media media;
    uint64_t most_values;
};

#define SP_BODY_LIMIT_NAME "serve: max_values"

// Writes the one value that a body holds. What of it the writer borrows (the data of
// tensors) must live until the call was submitted. MALFORMED, INVALID_ARGUMENT,
// NO_MEMORY: `why` says what is wrong, and where. Any thread.
snakepit_err sp_body_read(const struct sp_body *body,
                          snakepit_writer *writer,
                          snakepit_message *why);

// Whether MessagePack is one whole value of at most so many values, without ext types,
// of which none is ours to take from a stranger. MALFORMED: `why` says what is wrong.
snakepit_err
sp_body_check(const snakepit_reader *body, uint64_t most_values, snakepit_message *why);

// Whether a whole value holds at most so many. MALFORMED: it does not, and `why` says
// so.
snakepit_err
sp_body_count(snakepit_reader value, uint64_t most_values, snakepit_message *why);

// The MessagePack of the value that comes next: as it is where that can be, so that
// nothing is copied, else made in `room`. MALFORMED, NO_MEMORY.
snakepit_err sp_body_msgpack(const snakepit_reader *value,
                             struct sp_buf *room,
                             struct sp_slice *bytes);

#endif
