// SPDX-License-Identifier: MIT
// The memory of an nghttp2 session, which is freed as a whole: a session that was short
// of memory once must not be asked to free itself, since it may do so twice.
#ifndef HTTP_HTTP2_MEMORY_H
#define HTTP_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

#include "base/blocks.h"
#include "base/list.h"

// Owner: the loop thread of its connection.
struct sp_http2_memory {
    struct sp_link blocks;   // all that nghttp2 has
    struct sp_blocks *spare; // where they come from
};

// Keeps `spare`.
void sp_http2_memory_init(struct sp_http2_memory *memory, struct sp_blocks *spare);
// What nghttp2 is to allocate with.
nghttp2_mem sp_http2_memory_functions(struct sp_http2_memory *memory);
// Frees all of it: the session is not to be used any longer, nor deleted.
void sp_http2_memory_fini(struct sp_http2_memory *memory);

#endif
