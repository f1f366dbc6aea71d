// SPDX-License-Identifier: MIT
// The control segment as pointers: computed once from the layout, kept in private
// memory, and never read again from the shared header.
#ifndef IPC_CONTROL_H
#define IPC_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "ipc/layout.h"
#include "ipc/segment.h"

// What a control segment is made for. Plain data.
struct sp_control_shape {
    uint32_t slots;     // a power of two, at most SP_SLOTS_MAX
    uint32_t executors; // 1 to SP_EXECUTORS_MAX
    uint32_t leases;    // a power of two, at most SP_LEASES_MAX
    enum sp_waiting waiting;
    bool events;          // the host wants to know of events
    bool payloads_hidden; // core dumps leave requests and results out
    uint64_t epoch;
    uint64_t requests_size;
    uint64_t results_size;
};

// One side's private view of a mapped control segment. Constant after it was made.
struct sp_control_view {
    struct sp_control_shape shape;
    struct sp_control *header;
    struct sp_slot *slots;
    sp_cell *submit;
    sp_cell *done;
    sp_cell *request_returns;
    sp_cell *result_returns;
    struct sp_stamp *stamps;
    char *stack;       // SP_STACK_MAX bytes
    uint64_t stack_at; // its offset in the segment
};

// Bytes of a control segment of that shape.
uint64_t sp_control_size(const struct sp_control_shape *shape);

// Host: lays out a fresh segment (all zero) of sp_control_size() bytes and fills
// `view`. SYSTEM.
snakepit_err sp_control_create(struct sp_segment *segment,
                               const struct sp_control_shape *shape,
                               struct sp_control_view *view,
                               snakepit_message *why);
// Worker: reads the shape from a segment of `size` bytes, checks it, and fills `view`.
// PROTOCOL: another version or a header that contradicts itself.
snakepit_err
sp_control_open(uint8_t *base, uint64_t size, struct sp_control_view *view);

#endif
