// SPDX-License-Identifier: MIT
// A tube: the ring of bytes through which a running call hands over the pieces of a
// stream, see ipc/layout.h. Positions count bytes from the call's beginning and are
// never taken back; the worker publishes the tail, the host the head. Whatever lies
// before the head is the worker's again, and so is what the chunks there kept in the
// arena.
//
// Nothing here waits or locks: a writer waits with sp_wait_host(), a reader with
// sp_wait_slot().
#ifndef IPC_TUBE_H
#define IPC_TUBE_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "ipc/layout.h"

// ---- The worker's end ---------------------------------------------------------

// Owner: the executor that runs the call.
struct sp_tube_writer {
    struct sp_slot *slot;
    uint8_t *base; // SP_TUBE_BYTES, aligned to sizeof(struct sp_chunk)
    uint64_t tail; // bytes written
    uint64_t head; // bytes read, as far as the writer knows
};

// Before the slot becomes RUNNING: nothing was written, and there is no tube yet.
void sp_tube_clear(struct sp_slot *slot);
// Begins to write to the tube at `base`, which is `offset` in the results segment.
void sp_tube_writer_init(struct sp_tube_writer *writer,
                         struct sp_slot *slot,
                         uint8_t *base,
                         uint64_t offset);
// Whether a chunk with `bytes` of body inside of the tube (at most SP_CHUNK_INLINE)
// fits in now. If not, *head is what to wait for with sp_wait_host().
bool sp_tube_has_room(struct sp_tube_writer *writer, uint32_t bytes, uint64_t *head);
// Writes a chunk and wakes the reader. `chunk->body` is SP_CHUNK_HERE with `bytes`
// borrowed, or an offset in the results segment. Only after sp_tube_has_room() for it.
// True: the reader is to be told by sp_completion_put().
bool sp_tube_put(struct sp_tube_writer *writer,
                 const struct sp_chunk *chunk,
                 const uint8_t *bytes);
// The head as the host has told it last, never behind what it told before nor ahead of
// the tail.
uint64_t sp_tube_head(struct sp_tube_writer *writer);

// ---- The host's end -----------------------------------------------------------

// Everything is private to the host and checked. Owner: whoever reads the stream.
// Zero-initialised it has read nothing.
struct sp_tube_reader {
    const uint8_t *results; // the segment
    uint64_t size;          // of the segment
    uint64_t tube;          // offset of the tube; known once tail > 0
    uint64_t tail;          // bytes that may be read
    uint64_t head;          // bytes read
    uint64_t told;          // the head that the worker knows
    bool keeps;             // a piece since then keeps memory outside of the tube
};

// A chunk's body as the worker claims it: within the results segment, which the worker
// can still write. So copy it before it is parsed.
struct sp_tube_piece {
    const uint8_t *body;
    uint32_t size;
    bool inside; // of the tube
};

// What the worker says of its tube, unchecked.
struct sp_tube_claim {
    uint64_t tail;
    uint64_t tube;
};

// Looks at the slot of a call that is not QUEUED any more.
struct sp_tube_claim sp_tube_look(const struct sp_slot *slot);
// Takes over what the worker says. PROTOCOL: it makes no sense.
snakepit_err sp_tube_believe(struct sp_tube_reader *reader,
                             const struct sp_tube_claim *claim);
// The next piece of what is believed, which stays what it is until the head is told.
// NOT_FOUND: everything was read. PROTOCOL.
snakepit_err sp_tube_next(struct sp_tube_reader *reader, struct sp_tube_piece *piece);
// Whether there are pieces that sp_tube_next() would give at once.
bool sp_tube_has_more(const struct sp_tube_reader *reader);
// Whether the worker should be told of the head: much was read since, or the last piece
// keeps memory.
bool sp_tube_wants_to_tell(const struct sp_tube_reader *reader);
// Publishes the head; then sp_wake_executor() is wanted. False: it is known already.
bool sp_tube_tell(struct sp_tube_reader *reader, struct sp_slot *slot);

#endif
