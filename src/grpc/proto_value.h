// SPDX-License-Identifier: MIT
// google.protobuf.Value from bytes to MessagePack and back, without a struct between.
// It says what JSON says, and what JSON cannot in the same way: {"$bytes": base64},
// {"$uint": digits}, {"$tensor": {...}}; see payload/json.h. But its numbers are
// doubles, NaN and the infinities too.
#ifndef GRPC_PROTO_VALUE_H
#define GRPC_PROTO_VALUE_H

#include <snakepit/payload.h>

#include "base/slice.h"

// Integers up to here are the same as doubles.
#define SP_PROTO_WHOLE_MAX (INT64_C(1) << 53)

// Writes the value that the bytes of a Value say. A number that is whole and not beyond
// SP_PROTO_WHOLE_MAX is an integer, but for -0.0; a Value of no kind is nil. MALFORMED,
// INVALID_ARGUMENT and NO_MEMORY stick in the writer, with the place.
void sp_proto_value_read(struct sp_slice value, snakepit_writer *writer);

// Appends the bytes of a Value: of the value that comes next, which has no tensors. An
// integer beyond SP_PROTO_WHOLE_MAX is {"$uint": digits}. A text that is not UTF-8 gets
// U+FFFD. UNSERIALISABLE: an integer below -SP_PROTO_WHOLE_MAX, a key that is not a
// text. MALFORMED, NO_MEMORY. `why` says what is wrong; `buf` ends anywhere then.
snakepit_err sp_proto_value_write(const snakepit_reader *value,
                                  struct sp_buf *buf,
                                  snakepit_message *why);

// Whether all keys of what a reader reads are texts.
bool sp_proto_has_text_keys(const snakepit_reader *at);

#endif
