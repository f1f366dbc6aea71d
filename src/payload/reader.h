// SPDX-License-Identifier: MIT
// A reader at bytes that may hold tensors.
#ifndef PAYLOAD_READER_H
#define PAYLOAD_READER_H

#include <snakepit/payload.h>

#include "base/slice.h"

// Reads `bytes`; offsets of their tensors count from `memory`, a segment whose address
// is a multiple of SP_TENSOR_ALIGN. Borrows both while the reader is used. Either may
// be memory that a hostile peer writes at the same time.
static inline void
sp_reader_init(snakepit_reader *reader, struct sp_slice bytes, struct sp_slice memory)
{
    snakepit_reader_init(reader, bytes.data, bytes.size);
    reader->tensors = memory.data;
    reader->tensors_size = memory.size;
}

// Steps over one value that is `around` containers of ours, at most SP_AROUND_MAX,
// around what somebody else has made; only what is inside of those counts as deep. As
// snakepit_reader_skip().
snakepit_err sp_reader_skip_around(snakepit_reader *reader, size_t around);

#endif
