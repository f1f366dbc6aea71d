// SPDX-License-Identifier: MIT
// Memory for the parts of one message: taken piece by piece, given back all at once.
#ifndef PROTOBUF_SCRATCH_H
#define PROTOBUF_SCRATCH_H

#include "base/slice.h"

struct sp_scratch_block;

// Zero-initialised is empty and without a limit. Owner: whoever embeds it; no lock.
struct sp_scratch {
    struct sp_scratch_block *blocks;
    size_t used;  // bytes taken, in all
    size_t limit; // bytes that may be taken; 0: any
};

// Frees all that was taken; the scratch is empty and usable again.
void sp_scratch_fini(struct sp_scratch *scratch);
// The same, but for one block that is used again.
void sp_scratch_reset(struct sp_scratch *scratch);
// Zeroed bytes, aligned for anything, which live until sp_scratch_fini(). NULL: without
// memory, or over the limit.
void *sp_scratch_take(struct sp_scratch *scratch, size_t bytes);
// Takes the bytes of a buffer, which is empty then, and gives them as a slice. The
// limit does not count them. NO_MEMORY: the buffer is as it was.
snakepit_err
sp_scratch_own(struct sp_scratch *scratch, struct sp_buf *buf, struct sp_slice *bytes);

#endif
