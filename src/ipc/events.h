// SPDX-License-Identifier: MIT
// Events: what a worker has to say besides its answers. They go through a tube that
// belongs to the worker instead of a call, and nobody ever waits: an event that finds
// no room is dropped, and counted. The host looks when it is told that there is
// something, and from then on by itself until there is nothing for a while; so a worker
// that has much to say does not send a message for each of it.
#ifndef IPC_EVENTS_H
#define IPC_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/bucket.h"
#include "ipc/layout.h"
#include "ipc/tube.h"

#define SP_EVENT_MAX SP_CHUNK_INLINE // bytes of one event

// ---- The worker's end ---------------------------------------------------------

// Guarded by a lock of its owner.
struct sp_events_writer {
    struct sp_control *header;
    struct sp_tube_writer tube;
    uint32_t told_turn;     // of the host's, in which it was told
    uint64_t told_head;     // where it was when it was told that the tube is half full
    struct sp_bucket tells; // how often that may be
};

// A host that is told that the tube is half full reads it at once, and soon it is half
// full again. So it is told of that at most so often, a part of SP_MESSAGES_A_SECOND.
#define SP_EVENTS_TELLS_AT_ONCE  100
#define SP_EVENTS_TELLS_A_SECOND 400

// Writes from now on to the tube at `base`, which is `offset` in the results segment.
void sp_events_writer_init(struct sp_events_writer *writer,
                           struct sp_control *header,
                           uint8_t *base,
                           uint64_t offset,
                           uint64_t now);
// Writes an event of at most SP_EVENT_MAX bytes. False: there is no room.
bool sp_events_put(struct sp_events_writer *writer, const uint8_t *bytes, size_t size);
// Whether the host has to be told at `now`, by SP_MESSAGE_EVENTS. Once that is done:
// sp_events_told().
bool sp_events_want_to_tell(struct sp_events_writer *writer,
                            uint64_t now,
                            uint32_t *turn);
void sp_events_told(struct sp_events_writer *writer, uint32_t turn);
// Counts an event that was not written. Any thread.
void sp_events_drop(struct sp_control *header);

// ---- The host's end -----------------------------------------------------------

// Owner: the loop. Everything is private to the host and checked.
struct sp_events_reader {
    struct sp_control *header;
    struct sp_tube_reader tube;
    uint64_t dropped; // as the worker said last
};

void sp_events_reader_init(struct sp_events_reader *reader,
                           struct sp_control *header,
                           const uint8_t *results,
                           uint64_t results_size);
// Takes over what the worker has written by now. PROTOCOL: it makes no sense.
snakepit_err sp_events_look(struct sp_events_reader *reader);
// The next event of that, at most SP_EVENT_MAX bytes, which the worker can still write:
// copy it before it is parsed. NOT_FOUND: all were read. PROTOCOL.
snakepit_err sp_events_next(struct sp_events_reader *reader,
                            struct sp_tube_piece *piece);
// How many more the worker has dropped since the last time; its word for it.
uint64_t sp_events_dropped(struct sp_events_reader *reader);
// Gives back the room of what was read.
void sp_events_release(struct sp_events_reader *reader);
// From now on the worker tells of the next event. False: there is one already.
bool sp_events_sleep(struct sp_events_reader *reader);

#endif
