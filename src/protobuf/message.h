// SPDX-License-Identifier: MIT
// Messages from bytes and to bytes, by their tables.
#ifndef PROTOBUF_MESSAGE_H
#define PROTOBUF_MESSAGE_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "protobuf/scratch.h"
#include "protobuf/type.h"

#define SP_PROTO_DEPTH_MAX 100 // messages inside messages, as in other implementations

// Fills the struct of a message, which must be zeroed or decoded before, then this is
// merged into it. Texts, bytes and raw messages are borrowed from `bytes`; lists and
// messages lie in `scratch`, as does a raw message that came in several parts.
//
// Unknown fields are skipped, groups too. Of a field that comes twice the last one
// counts, messages are merged, lists are appended to; lists of numbers come packed or
// not.
//
// MALFORMED: `why` says which field, and what is wrong with it. NO_MEMORY: also over
// the limit of `scratch`. The struct holds anything then.
snakepit_err sp_proto_decode(const struct sp_proto_type *type,
                             struct sp_slice bytes,
                             struct sp_scratch *scratch,
                             void *message,
                             snakepit_message *why);

// ---- Encoding ---------------------------------------------------------------------

// Bytes of this size and more are not copied when a message is encoded.
#define SP_PROTO_FOREIGN_MIN ((size_t)16 * 1024)

// Bytes of somebody else that stand before bytes.data[at].
struct sp_proto_foreign {
    size_t at;
    struct sp_slice bytes;
};

// What messages become: bytes of our own, and foreign ones between them. Zeroed it is
// empty. Owner: whoever embeds it; no lock.
struct sp_proto_out {
    struct sp_buf bytes;
    struct sp_buf foreign; // of struct sp_proto_foreign, in their order
    size_t foreign_bytes;  // in all
};

void sp_proto_out_fini(struct sp_proto_out *out);
// Bytes in all.
size_t sp_proto_out_size(const struct sp_proto_out *out);
// Part `index` of the bytes in their order, borrowed from `out` and from the messages;
// false: there is none. A part may be empty.
bool sp_proto_out_part(const struct sp_proto_out *out,
                       size_t index,
                       struct sp_slice *part);

// Appends a message. Fields come in the order of their numbers, numbers are packed.
// Large texts and bytes are borrowed from the message. NO_MEMORY: also over 2 GiB, more
// than any reader takes; `out` is as it was.
snakepit_err sp_proto_encode(const struct sp_proto_type *type,
                             const void *message,
                             struct sp_proto_out *out);
// The same into one buffer, everything copied.
snakepit_err sp_proto_encode_flat(const struct sp_proto_type *type,
                                  const void *message,
                                  struct sp_buf *buf);

#endif
