// SPDX-License-Identifier: MIT
#include "ipc/events.h"

#define HALF    (SP_TUBE_BYTES / 2)
#define NOWHERE UINT64_MAX // no head is there

// ---- The worker's end ---------------------------------------------------------

void sp_events_writer_init(struct sp_events_writer *writer,
                           struct sp_control *header,
                           uint8_t *base,
                           uint64_t offset,
                           uint64_t now)
{
    *writer = (struct sp_events_writer){.header = header, .told_head = NOWHERE};
    // A turn that is over: the first event is told.
    writer->told_turn =
        atomic_load_explicit(&header->events_turn, memory_order_relaxed) - 1;
    sp_bucket_init(
        &writer->tells, SP_EVENTS_TELLS_AT_ONCE, SP_EVENTS_TELLS_A_SECOND, now);
    sp_tube_writer_init(&writer->tube, &header->events, base, offset);
}

bool sp_events_put(struct sp_events_writer *writer, const uint8_t *bytes, size_t size)
{
    uint64_t head;
    const struct sp_chunk chunk = {SP_CHUNK_HERE, (uint32_t)size, SP_NO_LEASE};
    if (size > SP_EVENT_MAX ||
        !sp_tube_has_room(&writer->tube, chunk.body_size, &head)) {
        return false;
    }
    (void)sp_tube_put(&writer->tube, &chunk, bytes);
    return true;
}

static bool is_half_full(struct sp_events_writer *writer)
{
    return writer->tube.tail - sp_tube_head(&writer->tube) > HALF;
}

bool sp_events_want_to_tell(struct sp_events_writer *writer,
                            uint64_t now,
                            uint32_t *turn)
{
    // [events:turn] either this sees the new turn, or the host the event; pairs with
    // [events:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    *turn = atomic_load_explicit(&writer->header->events_turn, memory_order_relaxed);
    if (*turn != writer->told_turn) {
        return true;
    }
    return is_half_full(writer) && writer->tube.head != writer->told_head &&
           sp_bucket_take(&writer->tells, 1, now);
}

void sp_events_told(struct sp_events_writer *writer, uint32_t turn)
{
    writer->told_turn = turn;
    writer->told_head = is_half_full(writer) ? writer->tube.head : NOWHERE;
}

void sp_events_drop(struct sp_control *header)
{
    atomic_fetch_add_explicit(&header->events_dropped, 1, memory_order_relaxed);
}

// ---- The host's end -----------------------------------------------------------

void sp_events_reader_init(struct sp_events_reader *reader,
                           struct sp_control *header,
                           const uint8_t *results,
                           uint64_t results_size)
{
    *reader = (struct sp_events_reader){.header = header};
    reader->tube.results = results;
    reader->tube.size = results_size;
}

snakepit_err sp_events_look(struct sp_events_reader *reader)
{
    const struct sp_tube_claim claim = sp_tube_look(&reader->header->events);
    return sp_tube_believe(&reader->tube, &claim);
}

snakepit_err sp_events_next(struct sp_events_reader *reader,
                            struct sp_tube_piece *piece)
{
    snakepit_err err = sp_tube_next(&reader->tube, piece);
    // What lies outside could be read again and again, at the cost of a head each.
    return err == SNAKEPIT_OK && !piece->inside ? SNAKEPIT_PROTOCOL : err;
}

uint64_t sp_events_dropped(struct sp_events_reader *reader)
{
    uint64_t now =
        atomic_load_explicit(&reader->header->events_dropped, memory_order_relaxed);
    uint64_t more = now > reader->dropped ? now - reader->dropped : 0;
    reader->dropped = now;
    return more;
}

void sp_events_release(struct sp_events_reader *reader)
{
    (void)sp_tube_tell(&reader->tube, &reader->header->events);
}

bool sp_events_sleep(struct sp_events_reader *reader)
{
    struct sp_control *header = reader->header;
    // Nobody else writes it; the worker could, and would only fail to be heard.
    (void)atomic_fetch_add_explicit(&header->events_turn, 1, memory_order_relaxed);
    // [events:sleep] pairs with [events:turn].
    atomic_thread_fence(memory_order_seq_cst);
    return sp_tube_look(&header->events).tail == reader->tube.tail;
}
