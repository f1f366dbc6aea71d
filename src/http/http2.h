// SPDX-License-Identifier: MIT
// HTTP/2 (RFC 9113), on nghttp2. Frames and the compression of headers are its matter;
// ours is what a request is, who may have how much under way, and how much memory that
// takes.
#ifndef HTTP_HTTP2_H
#define HTTP_HTTP2_H

#include "config/config.h"
#include "server/connection.h"
#include "server/waits.h"

extern const struct sp_protocol sp_http2;

// What the streams of a loop wait for: one for all of them.
void sp_http2_waits_init(struct sp_waits *waits,
                         struct sp_loop *loop,
                         const struct sp_serve_config *config);

#endif
