// SPDX-License-Identifier: MIT
// How gRPC puts messages into a body: a byte that says whether the message is
// compressed, its size in four bytes, the most significant first, then the message.
#ifndef GRPC_FRAME_H
#define GRPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/budget.h"

#define SP_GRPC_PREFIX_SIZE 5u

enum sp_grpc_read {
    SP_GRPC_READ_MORE = 0, // all bytes are taken, and no message is whole
    SP_GRPC_READ_HEAD,     // the beginning of one is there that is larger than `stop`
    SP_GRPC_READ_MESSAGE,  // one is, in `message`; it lasts until the next look
    SP_GRPC_READ_TOO_LARGE,
    SP_GRPC_READ_BAD_FLAG, // neither compressed nor not
    SP_GRPC_READ_NO_MEMORY,
    SP_GRPC_READ_SPENT, // the budget is
};

// Bytes of a message that go elsewhere; they are not in `message` then, and what
// follows them stands in their place.
struct sp_grpc_aside {
    uint8_t *room; // NULL: there are none
    size_t at;     // where they begin in the message
    size_t size;
    size_t taken; // of them, so far
};

// Reads messages from bytes as they come. Zeroed, with `most` set, it is at the
// beginning. Owner: whoever embeds it.
struct sp_grpc_reader {
    size_t most;              // bytes that a message may have
    struct sp_budget *budget; // where messages count; NULL: nowhere
    uint8_t prefix[SP_GRPC_PREFIX_SIZE];
    uint8_t prefix_size; // of it, there so far
    bool whole;          // the message is
    bool compressed;     // the message is
    size_t size;         // of the message, once the prefix is whole
    // Stops once where so much of a larger message is there: its owner may set `aside`
    // then. 0: it does not.
    size_t stop;
    struct sp_grpc_aside aside;
    struct sp_counted message;
};

// Takes bytes up to the end of the next message. What is claimed to come takes no
// memory before it has come. After a failure it must not be called again.
enum sp_grpc_read sp_grpc_reader_take(struct sp_grpc_reader *reader,
                                      struct sp_slice *bytes);
// After HEAD: the bytes of the message from `at` on are to go to `room`, where those
// that have come already are moved. At least one byte is still to come.
void sp_grpc_reader_put_aside(struct sp_grpc_reader *reader,
                              void *room,
                              size_t at,
                              size_t size);
// Whether a message has begun and is not whole: the body must not end here.
bool sp_grpc_reader_is_amid(const struct sp_grpc_reader *reader);
void sp_grpc_reader_fini(struct sp_grpc_reader *reader);

// Begins a message at the end of `out`, which leaves place for the prefix; returns
// where. NO_MEMORY.
snakepit_err sp_grpc_frame_begin(struct sp_buf *out, size_t *at);
// All behind the prefix is the message. QUOTA_EXCEEDED: it is 4 GiB or more.
snakepit_err sp_grpc_frame_end(struct sp_buf *out, size_t at);
// Writes a prefix for so many bytes. QUOTA_EXCEEDED as above.
snakepit_err sp_grpc_frame_set(uint8_t prefix[SP_GRPC_PREFIX_SIZE], size_t size);

// Puts what a gzip stream holds into `out`, which counts to the budget as it grows.
// QUOTA_EXCEEDED: that is more than `most` bytes. AGAIN: the budget is spent.
// MALFORMED: it is not one stream, whole. NO_MEMORY. Any thread.
snakepit_err sp_grpc_gunzip(struct sp_slice packed,
                            size_t most,
                            struct sp_budget *budget,
                            struct sp_counted *out);

#endif
