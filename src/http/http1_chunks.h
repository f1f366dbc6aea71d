// SPDX-License-Identifier: MIT
// A body in chunks (RFC 9112, section 7.1). Pure, without memory of its own, and the
// same however the bytes were split. Extensions and trailers are bounded and dropped.
#ifndef HTTP_HTTP1_CHUNKS_H
#define HTTP_HTTP1_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/http1_parser.h"

// Bytes of extensions and trailers that a body may have.
#define SP_HTTP1_EXTRAS 4096u

enum sp_http1_chunk {
    SP_HTTP1_CHUNK_BEGIN = 0, // the first digit of its size
    SP_HTTP1_CHUNK_SIZE,
    SP_HTTP1_CHUNK_EXTENSION,
    SP_HTTP1_CHUNK_SIZE_LF, // a CR was there
    SP_HTTP1_CHUNK_DATA,    // `left` bytes
    SP_HTTP1_CHUNK_DATA_CR,
    SP_HTTP1_CHUNK_DATA_LF,
    SP_HTTP1_CHUNK_TRAILER, // a trailer, or the CR of the last line
    SP_HTTP1_CHUNK_TRAILER_NAME,
    SP_HTTP1_CHUNK_TRAILER_VALUE,
    SP_HTTP1_CHUNK_TRAILER_LF,
    SP_HTTP1_CHUNK_LAST_LF,
    SP_HTTP1_CHUNK_END, // the body is whole
};

// Zeroed: at the beginning of a body.
struct sp_http1_chunks {
    enum sp_http1_chunk state;
    unsigned digits; // of the size, so far
    unsigned extras; // bytes of extensions and trailers, so far
    uint64_t left;   // of this chunk
};

// Reads from `bytes`, which then begins behind what was read, until all is read, the
// body ends, or there is a piece of it; without one `piece` is empty. A refusal (400,
// 431) is final.
struct sp_refusal sp_http1_chunks_next(struct sp_http1_chunks *chunks,
                                       struct sp_slice *bytes,
                                       struct sp_slice *piece);
// That `bytes` bytes of the chunk's data, of which there were as many left, were taken
// without being shown here.
void sp_http1_chunks_skip(struct sp_http1_chunks *chunks, size_t bytes);

#endif
