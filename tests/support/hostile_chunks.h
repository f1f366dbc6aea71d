// SPDX-License-Identifier: MIT
// The chunks of a stream as a worker without an interpreter gives them.
#ifndef SUPPORT_HOSTILE_CHUNKS_H
#define SUPPORT_HOSTILE_CHUNKS_H

#include "ipc/control.h"
#include "ipc/segment.h"

// Less than a second.
void hostile_pause_us(uint64_t us);

struct hostile_chunks {
    struct sp_control_view *view;
    const struct sp_segment *results;
    const uint8_t *requests;
    uint32_t most; // chunks of one stream
    void (*notify)(uint32_t slot);
};

// Of a stream: gives some chunks, each the arguments, until the call is cancelled. Its
// tube lies in the last quarter of the results.
void hostile_give_chunks(const struct hostile_chunks *chunks,
                         uint32_t id,
                         const struct sp_slot_request *request);

#endif
