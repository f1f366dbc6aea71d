// SPDX-License-Identifier: MIT
// What the header fields of a gRPC request say.
#ifndef GRPC_FIELDS_H
#define GRPC_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum sp_grpc_type {
    SP_GRPC_TYPE_NONE = 0, // another protocol's request
    SP_GRPC_TYPE_PROTO,    // "application/grpc", "application/grpc+proto"
    SP_GRPC_TYPE_OTHER,    // gRPC with messages of another kind
};

// What a `Content-Type` is. Parameters do not matter.
enum sp_grpc_type sp_grpc_type_of(struct sp_slice content_type);

// `grpc-timeout` in milliseconds, a part of one counted as a whole one: 1 to 8 digits
// and one of n, u, m, S, M and H. False: it is not that.
bool sp_grpc_timeout(struct sp_slice text, uint64_t *ms);

// Appends the bytes of a field whose name ends with "-bin": base64, with or without
// padding. MALFORMED, NO_MEMORY: `out` is as it was.
snakepit_err sp_grpc_decode_bin(struct sp_slice text, struct sp_buf *out);
// Appends the base64 of `bytes`, without padding. NO_MEMORY: `out` is as it was.
snakepit_err sp_grpc_encode_bin(struct sp_slice bytes, struct sp_buf *out);

// Appends `text` as `grpc-message` wants it: percent-encoded, but for what is printable
// and not '%', and cut in front of the character that would make it longer than `most`.
// `taken`: how many bytes of it were not cut. NO_MEMORY: `out` is as it was.
snakepit_err sp_grpc_encode_message(struct sp_slice text,
                                    size_t most,
                                    struct sp_buf *out,
                                    size_t *taken);

#endif
