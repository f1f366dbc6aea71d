// SPDX-License-Identifier: MIT
// The inside of a snakepit_writer, for those who send what it holds.
#ifndef PAYLOAD_WRITER_H
#define PAYLOAD_WRITER_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "payload/wire.h"

// A tensor that stands in a written value, still in the caller's memory.
struct sp_tensor_ref {
    snakepit_tensor tensor;
    size_t bytes; // packed; may be 0
    size_t at; // where the ext's payload (payload/wire.h) begins in the written bytes
};

#define SP_WRONG_MAX 512u // bytes of the sentence that tells an error

struct sp_writer_block; // memory that the writer owns, see sp_writer_own()

// Owner: one thread at a time; whoever holds it const only reads.
struct snakepit_writer {
    struct sp_buf buf; // the MessagePack bytes; offsets of tensors in them are 0
    snakepit_err err;  // the first error
    uint32_t depth;    // containers that are open
    uint64_t pending;  // values still wanted; 0 also after an error, so that one test
                       // suffices
    uint64_t ends[SP_DEPTH_MAX + 2]; // ends[i]: `pending` when the i-th open container
                                     // is full; see sp_writer_hold() for the last
    bool maps[SP_DEPTH_MAX + 2];     // maps[i]: it is a map
    struct sp_tensor_ref *tensors;
    size_t tensor_count;
    size_t tensor_room;
    struct sp_writer_block *blocks;
    char wrong[SP_WRONG_MAX]; // what the first error is, a sentence; or ""
};

// Sets the sticky error unless there is one already.
void sp_writer_fail(snakepit_writer *writer, snakepit_err err);
// The same, and keeps a sentence that says what is wrong; appends the place of the
// value that comes next.
void sp_writer_refuse(snakepit_writer *writer,
                      snakepit_err err,
                      const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

// One whole value that was written before and holds no tensors, as it is.
void sp_writer_value(snakepit_writer *writer, struct sp_slice value);

// One whole value that somebody else has written, and who may still write there: it is
// copied, then checked. Its tensors lie in `memory`, see sp_reader_init(), and are the
// caller's as those of snakepit_writer_tensor(). MALFORMED: it is not one value of
// MessagePack, or none that a tool takes; the writer is to be reset.
snakepit_err sp_writer_message(snakepit_writer *writer,
                               struct sp_slice message,
                               struct sp_slice memory);

// One whole value that was written before, as it is: `part` of what `of` holds. Its
// tensors are borrowed from `of` until the writer is reset or freed.
void sp_writer_part(snakepit_writer *writer,
                    const snakepit_writer *of,
                    struct sp_slice part);

// Between these two any number of values is written that count as one, whose bytes are
// one value in the end. Returns false if there is no room for one. After an error
// nothing needs to be released.
struct sp_writer_hold {
    uint64_t pending;
    size_t start;
};
bool sp_writer_hold(snakepit_writer *writer, struct sp_writer_hold *hold);
void sp_writer_release(snakepit_writer *writer, const struct sp_writer_hold *hold);

// `bytes` bytes that live until the writer is reset or freed, aligned for any element;
// NULL when memory is exhausted.
void *sp_writer_own(snakepit_writer *writer, size_t bytes);

// Writes the place of a tensor into `body`, a copy of writer->buf, once it is known: an
// offset in the segment or in a window, a multiple of SP_TENSOR_ALIGN.
static inline void sp_tensor_ref_place_in(const struct sp_tensor_ref *ref,
                                          uint8_t *body,
                                          uint32_t window,
                                          uint64_t offset)
{
    for (unsigned i = 0; i < 4; i++) {
        body[ref->at + 4 + i] = (uint8_t)(window >> (8 * i));
    }
    for (unsigned i = 0; i < 8; i++) {
        body[ref->at + 8 + i] = (uint8_t)(offset >> (8 * i));
    }
}
static inline void
sp_tensor_ref_place(const struct sp_tensor_ref *ref, uint8_t *body, uint64_t offset)
{
    sp_tensor_ref_place_in(ref, body, 0, offset);
}

#endif
