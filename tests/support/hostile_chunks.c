// SPDX-License-Identifier: MIT
#include "support/hostile_chunks.h"

#include <time.h>

#include "ipc/tube.h"
#include "support/chance.h"

void hostile_pause_us(uint64_t us)
{
    const struct timespec pause = {0, (long)(us * 1000)};
    (void)nanosleep(&pause, NULL);
}

void hostile_give_chunks(const struct hostile_chunks *chunks,
                         uint32_t id,
                         const struct sp_slot_request *request)
{
    struct sp_slot *slot = &chunks->view->slots[id];
    uint64_t total = chunks->results->size;
    uint64_t at = total / 4 * 3 + (uint64_t)id * SP_TUBE_BYTES;
    const struct sp_chunk chunk = {SP_CHUNK_HERE, request->body_size, SP_NO_LEASE};
    struct sp_tube_writer tube;
    uint64_t head;
    if (request->kind != SP_CALL_STREAM || chunks->most == 0 ||
        request->body_size > SP_CHUNK_INLINE || at + SP_TUBE_BYTES > total) {
        return;
    }
    sp_tube_writer_init(&tube, slot, chunks->results->base + at, at);
    for (uint64_t left = below(chunks->most); left > 0; left--) {
        while (!sp_tube_has_room(&tube, chunk.body_size, &head)) {
            hostile_pause_us(100);
            if (__atomic_load_n(&slot->request.cancel, __ATOMIC_ACQUIRE) != 0) {
                return;
            }
        }
        if (sp_tube_put(&tube, &chunk, chunks->requests + request->body)) {
            chunks->notify(id);
        }
        if (below(4) == 0) {
            hostile_pause_us(below(200));
        }
    }
}
