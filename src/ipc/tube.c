// SPDX-License-Identifier: MIT
// Both ends keep their own positions and never read them back from shared memory; of
// the other end's position they take a copy, which must lie between what they know.
#include "ipc/tube.h"

#include <string.h>

#include "base/check.h"
#include "ipc/wait.h"

#define HEAD    ((uint64_t)sizeof(struct sp_chunk))
#define MASK    ((uint64_t)SP_TUBE_BYTES - 1)
#define TELL_AT (SP_TUBE_BYTES / 8) // bytes read that are worth a word to the worker
#define WAKE_AT (SP_TUBE_BYTES / 2) // bytes of room that are worth waking a writer for

_Static_assert((SP_TUBE_BYTES & MASK) == 0, "positions are masked");
_Static_assert(SP_TUBE_BYTES >= 3 * (SP_CHUNK_INLINE + 16u),
               "any chunk fits, skip too");

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + HEAD - 1) / HEAD * HEAD;
}

// What a chunk takes in the tube.
static uint64_t length_of(uint64_t bytes)
{
    return HEAD + rounded(bytes);
}

// Bytes that must be skipped at the end of the ring before a chunk of that length.
static uint64_t skip_before(uint64_t tail, uint64_t length)
{
    uint64_t left = SP_TUBE_BYTES - (tail & MASK);
    return left < length ? left : 0;
}

// ---- The worker's end ---------------------------------------------------------

void sp_tube_clear(struct sp_slot *slot)
{
    // Only where a stream was here: a write would take the line from the waiting host,
    // which fetches it back before the state is written.
    if (slot->result.tube != 0) {
        __atomic_store_n(&slot->result.tube, 0, __ATOMIC_RELAXED);
        // Visible with the state RUNNING; until then nobody looks.
        atomic_store_explicit(&slot->result.tube_tail, 0, memory_order_relaxed);
    }
}

void sp_tube_writer_init(struct sp_tube_writer *writer,
                         struct sp_slot *slot,
                         uint8_t *base,
                         uint64_t offset)
{
    *writer = (struct sp_tube_writer){.slot = slot};
    writer->base = base;
    // A reader may look already. It believes this once it sees a tail: [tube:put].
    __atomic_store_n(&slot->result.tube, offset, __ATOMIC_RELAXED);
}

uint64_t sp_tube_head(struct sp_tube_writer *writer)
{
    // [tube:room] what was read is not needed any more; pairs with [tube:read].
    uint64_t head = __atomic_load_n(&writer->slot->request.tube_head, __ATOMIC_ACQUIRE);
    if (head > writer->head && head <= writer->tail) {
        writer->head = head;
    }
    return writer->head;
}

bool sp_tube_has_room(struct sp_tube_writer *writer, uint32_t bytes, uint64_t *head)
{
    SP_CHECK(bytes <= SP_CHUNK_INLINE);
    uint64_t length = length_of(bytes);
    uint64_t end = writer->tail + skip_before(writer->tail, length) + length;
    if (end - writer->head <= SP_TUBE_BYTES ||
        end - sp_tube_head(writer) <= SP_TUBE_BYTES) {
        return true;
    }
    // More than what this chunk needs, so that one wake is good for many chunks.
    uint64_t least = end - SP_TUBE_BYTES;
    uint64_t half = writer->tail > WAKE_AT ? writer->tail - WAKE_AT : 0;
    *head = least > half ? least : half;
    return false;
}

bool sp_tube_put(struct sp_tube_writer *writer,
                 const struct sp_chunk *chunk,
                 const uint8_t *bytes)
{
    bool here = chunk->body == SP_CHUNK_HERE;
    uint64_t length = length_of(here ? chunk->body_size : 0);
    uint64_t skipped = skip_before(writer->tail, length);
    if (skipped > 0) {
        const struct sp_chunk skip = {.body = SP_CHUNK_SKIP, .lease = SP_NO_LEASE};
        memcpy(writer->base + (writer->tail & MASK), &skip, sizeof skip);
        writer->tail += skipped;
    }
    uint8_t *at = writer->base + (writer->tail & MASK);
    memcpy(at, chunk, sizeof *chunk);
    if (here && chunk->body_size > 0) {
        memcpy(at + HEAD, bytes, chunk->body_size);
    }
    writer->tail += length;
    // [tube:put] the chunk is visible before the tail; pairs with [tube:seen].
    atomic_store_explicit(
        &writer->slot->result.tube_tail, writer->tail, memory_order_release);
    return sp_wake_reader(writer->slot);
}

// ---- The host's end -----------------------------------------------------------

static bool tube_is_sound(const struct sp_tube_reader *reader, uint64_t tube)
{
    return tube % HEAD == 0 && reader->size >= SP_TUBE_BYTES &&
           tube <= reader->size - SP_TUBE_BYTES;
}

struct sp_tube_claim sp_tube_look(const struct sp_slot *slot)
{
    // [tube:seen] the chunks are visible once the tail is; pairs with [tube:put].
    uint64_t tail = atomic_load_explicit(&slot->result.tube_tail, memory_order_acquire);
    uint64_t tube = __atomic_load_n(&slot->result.tube, __ATOMIC_RELAXED);
    return (struct sp_tube_claim){tail, tube};
}

snakepit_err sp_tube_believe(struct sp_tube_reader *reader,
                             const struct sp_tube_claim *claim)
{
    if (claim->tail == reader->tail) {
        return SNAKEPIT_OK;
    }
    if (claim->tail < reader->tail || claim->tail - reader->told > SP_TUBE_BYTES ||
        claim->tail % HEAD != 0) {
        return SNAKEPIT_PROTOCOL;
    }
    if (reader->tail == 0) {
        if (!tube_is_sound(reader, claim->tube)) {
            return SNAKEPIT_PROTOCOL;
        }
        reader->tube = claim->tube;
    }
    reader->tail = claim->tail;
    return SNAKEPIT_OK;
}

bool sp_tube_has_more(const struct sp_tube_reader *reader)
{
    return reader->head != reader->tail;
}

// Each field of a chunk's head, once.
static struct sp_chunk load_chunk(const uint8_t *at)
{
    const struct sp_chunk *shared = (const void *)at;
    return (struct sp_chunk){
        .body = __atomic_load_n(&shared->body, __ATOMIC_RELAXED),
        .body_size = __atomic_load_n(&shared->body_size, __ATOMIC_RELAXED),
        .lease = __atomic_load_n(&shared->lease, __ATOMIC_RELAXED),
    };
}

static snakepit_err take_inside(struct sp_tube_reader *reader,
                                const struct sp_chunk *chunk,
                                struct sp_tube_piece *piece)
{
    uint64_t at = reader->head & MASK;
    uint64_t length = length_of(chunk->body_size);
    if (chunk->body_size > SP_CHUNK_INLINE || length > SP_TUBE_BYTES - at ||
        length > reader->tail - reader->head) {
        return SNAKEPIT_PROTOCOL;
    }
    *piece = (struct sp_tube_piece){
        reader->results + reader->tube + at + HEAD, chunk->body_size, true};
    reader->head += length;
    return SNAKEPIT_OK;
}

static snakepit_err take_outside(struct sp_tube_reader *reader,
                                 const struct sp_chunk *chunk,
                                 struct sp_tube_piece *piece)
{
    if (chunk->body > reader->size || chunk->body_size > reader->size - chunk->body ||
        chunk->body_size > SP_BODY_MAX) {
        return SNAKEPIT_PROTOCOL;
    }
    *piece =
        (struct sp_tube_piece){reader->results + chunk->body, chunk->body_size, false};
    reader->head += HEAD;
    return SNAKEPIT_OK;
}

snakepit_err sp_tube_next(struct sp_tube_reader *reader, struct sp_tube_piece *piece)
{
    if (!sp_tube_has_more(reader)) {
        return SNAKEPIT_NOT_FOUND;
    }
    struct sp_chunk chunk =
        load_chunk(reader->results + reader->tube + (reader->head & MASK));
    if (chunk.body == SP_CHUNK_SKIP) {
        uint64_t left = SP_TUBE_BYTES - (reader->head & MASK);
        // A skip at the start would lead to itself, and none is the last.
        if (left == SP_TUBE_BYTES || left >= reader->tail - reader->head) {
            return SNAKEPIT_PROTOCOL;
        }
        reader->head += left;
        chunk = load_chunk(reader->results + reader->tube);
    }
    reader->keeps |= chunk.lease != SP_NO_LEASE;
    switch (chunk.body) {
    case SP_CHUNK_SKIP:
        return SNAKEPIT_PROTOCOL;
    case SP_CHUNK_HERE:
        return take_inside(reader, &chunk, piece);
    default:
        return take_outside(reader, &chunk, piece);
    }
}

bool sp_tube_wants_to_tell(const struct sp_tube_reader *reader)
{
    return reader->head != reader->told &&
           (reader->keeps || reader->head - reader->told >= TELL_AT);
}

bool sp_tube_tell(struct sp_tube_reader *reader, struct sp_slot *slot)
{
    if (reader->head == reader->told) {
        return false;
    }
    reader->told = reader->head;
    reader->keeps = false;
    // [tube:read] nothing is read there any more; pairs with [tube:room].
    __atomic_store_n(&slot->request.tube_head, reader->head, __ATOMIC_RELEASE);
    return true;
}
