// SPDX-License-Identifier: MIT
// HTTP/2 (RFC 9113), on nghttp2. Frames and the compression of headers are its matter;
// ours is what a request is, who may have how much under way, and how much memory that
// takes.
#ifndef FRONT_HTTP2_H
#define FRONT_HTTP2_H

#include "front/connection.h"

extern const struct sp_protocol sp_http2;

#endif
