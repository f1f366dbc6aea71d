// SPDX-License-Identifier: MIT
// Chunks in the client's tube. Nothing waits: where there is no room the chunk stays
// where it is, and the client rings once it has read.
#include <string.h>

#include "local/inside.h"

static struct sp_slot *slot_of(const struct sp_local_call *call)
{
    return &call->circuit->view.slots[sp_local_call_slot(call)];
}

// ---- What chunks keep -----------------------------------------------------------

static void release_kept(struct sp_local_call *call)
{
    const uint64_t head = sp_tube_head(&call->tube);
    uint32_t gone = 0;
    while (gone < call->kept_count && call->kept[gone].end <= head) {
        sp_local_circuit_end_lease(call->circuit, call->kept[gone++].lease);
    }
    call->kept_count -= gone;
    memmove(call->kept, call->kept + gone, call->kept_count * sizeof *call->kept);
}

uint32_t sp_local_stream_leave(struct sp_local_call *call, uint32_t lease)
{
    uint32_t last = call->tube_lease;
    if (last == SP_NO_LEASE) {
        return lease;
    }
    release_kept(call);
    for (uint32_t i = 0; i < call->kept_count; i++) {
        sp_local_circuit_join(call->circuit, last, call->kept[i].lease);
        last = call->kept[i].lease;
    }
    call->kept_count = 0;
    if (lease != SP_NO_LEASE) {
        sp_local_circuit_join(call->circuit, lease, call->tube_lease);
        return lease;
    }
    return call->tube_lease;
}

// ---- Chunks -----------------------------------------------------------------------

// The first chunk makes the tube: a call that fails before costs none.
static bool has_tube(struct sp_local_call *call)
{
    struct sp_local_circuit *circuit = call->circuit;
    uint64_t offset;
    if (call->tube_lease == SP_NO_LEASE &&
        sp_local_circuit_lend(circuit, SP_TUBE_BYTES, &call->tube_lease, &offset) ==
            SNAKEPIT_OK) {
        sp_tube_writer_init(
            &call->tube, slot_of(call), circuit->results.base + offset, offset);
    }
    return call->tube_lease != SP_NO_LEASE;
}

// Until the client has read more. True: it has by now.
static bool wait_for(struct sp_local_call *call, uint64_t head)
{
    _Atomic uint32_t *state = &slot_of(call)->result.state;
    atomic_fetch_or_explicit(state, SP_SLOT_SLEEPER, memory_order_acq_rel);
    // [pause:sleep] the mark before the look at the head; pairs with [pause:wake].
    atomic_thread_fence(memory_order_seq_cst);
    if (sp_tube_head(&call->tube) >= head) {
        return true;
    }
    if (!sp_link_used(&call->stalled)) {
        sp_list_append(&call->circuit->stalled, &call->stalled);
    }
    return false;
}

// Room in the tube, and among the chunks that keep memory.
static bool has_room(struct sp_local_call *call, uint32_t inside, bool keeps)
{
    uint64_t head;
    release_kept(call);
    while (keeps && call->kept_count == SP_CHUNKS_LEASED) {
        if (!wait_for(call, call->kept[0].end)) {
            return false;
        }
        release_kept(call);
    }
    while (!sp_tube_has_room(&call->tube, inside, &head)) {
        if (!wait_for(call, head)) {
            return false;
        }
    }
    return true;
}

// Room in the results for what does not fit into the tube; all that is kept is waited
// for where there is none.
static enum sp_local_put
lend(struct sp_local_call *call, uint64_t bytes, uint64_t *offset, uint32_t *lease)
{
    while (sp_local_circuit_lend(call->circuit, bytes, lease, offset) != SNAKEPIT_OK) {
        if (call->kept_count == 0) {
            return SP_LOCAL_FULL;
        }
        if (!wait_for(call, call->kept[call->kept_count - 1].end)) {
            return SP_LOCAL_WAITS;
        }
        release_kept(call);
    }
    return SP_LOCAL_PUT;
}

static void write_chunk(struct sp_local_call *call,
                        const struct sp_chunk *chunk,
                        const uint8_t *bytes)
{
    if (sp_tube_put(&call->tube, chunk, bytes)) {
        sp_local_circuit_notify(call->circuit, sp_local_call_slot(call), call->queue);
    }
    if (chunk->lease != SP_NO_LEASE) {
        call->kept[call->kept_count++] =
            (struct sp_kept_chunk){chunk->lease, call->tube.tail};
    }
}

static enum sp_local_put put_large(struct sp_local_call *call,
                                   const struct sp_local_piece *piece)
{
    struct sp_local_circuit *circuit = call->circuit;
    struct sp_buf *scratch = &circuit->loop->scratch;
    uint8_t *results = circuit->results.base;
    const bool is_inside = piece->body.size <= SP_CHUNK_INLINE;
    const uint64_t outside = is_inside ? 0 : sp_local_rounded(piece->body.size);
    struct sp_chunk chunk = {SP_CHUNK_HERE, (uint32_t)piece->body.size, SP_NO_LEASE};
    uint64_t offset = 0;
    if (outside + piece->bytes > 0) {
        const enum sp_local_put lent =
            lend(call, outside + piece->bytes, &offset, &chunk.lease);
        if (lent != SP_LOCAL_PUT) {
            return lent;
        }
    }
    scratch->size = 0;
    uint8_t *body = results + offset;
    if (is_inside) {
        if (sp_buf_reserve(scratch, piece->body.size) != SNAKEPIT_OK) {
            sp_local_circuit_end_lease(circuit, chunk.lease);
            return SP_LOCAL_FULL;
        }
        body = scratch->data;
    } else {
        chunk.body = offset;
    }
    memcpy(body, piece->body.data, piece->body.size);
    sp_local_piece_place(piece, results, offset + outside, body);
    write_chunk(call, &chunk, body);
    return SP_LOCAL_PUT;
}

enum sp_local_put sp_local_put(struct sp_local_call *call)
{
    struct sp_local_piece piece;
    if (!sp_local_piece_measure(&call->chunk, &piece) || !has_tube(call)) {
        return SP_LOCAL_FULL;
    }
    const bool is_inside = piece.body.size <= SP_CHUNK_INLINE;
    if (!has_room(call,
                  is_inside ? (uint32_t)piece.body.size : 0,
                  !is_inside || piece.bytes > 0)) {
        return SP_LOCAL_WAITS;
    }
    if (piece.tensors || !is_inside) {
        return put_large(call, &piece);
    }
    const struct sp_chunk chunk = {
        SP_CHUNK_HERE, (uint32_t)piece.body.size, SP_NO_LEASE};
    write_chunk(call, &chunk, piece.body.data);
    return SP_LOCAL_PUT;
}
