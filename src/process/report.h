// SPDX-License-Identifier: MIT
// What a worker says of itself: claims of a peer that is not trusted, read with bounds.
#ifndef PROCESS_REPORT_H
#define PROCESS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"

struct sp_worker_info {
    bool gil_enabled;
    bool free_threaded;
    bool thread_safe; // the adapter is not declared to be unsafe
    bool undeclared;  // nor to be safe
    bool has_health_check;
    char python[32]; // "3.13.5"
    char adapter[256];
};

// Reads the body of SP_MESSAGE_READY. What is missing or of another type gets its
// cautious value.
void sp_worker_read_info(struct sp_worker_info *info, const uint8_t *body, size_t size);
// Reads the names of the tools that may be called once more: each behind its size in
// one byte. Without memory for them there are none.
void sp_worker_read_idempotent(struct sp_buf *names, const uint8_t *body, size_t size);
// The files that its code came from, from the same: absolute paths, each with its zero
// behind the other. Empty where it does not say, or there is no memory for them.
void sp_worker_read_sources(struct sp_buf *paths, const uint8_t *body, size_t size);
// Reads the tools that take many calls at once: as above, and behind each name how many
// calls, in four bytes.
void sp_worker_read_batches(struct sp_buf *tools, const uint8_t *body, size_t size);
// Reads the body of SP_MESSAGE_FAILED as text: type, message, traceback.
void sp_worker_read_failure(char *room,
                            size_t room_size,
                            const uint8_t *body,
                            size_t size);

#endif
