// SPDX-License-Identifier: MIT
// Which version of HTTP a connection speaks.
#ifndef FRONT_HTTP_H
#define FRONT_HTTP_H

#include "front/connection.h"

// What was agreed with TLS. Where nothing was, it looks at what the client sends first:
// the preface of HTTP/2 (RFC 9113, section 3.4) makes it that, anything else HTTP/1.1,
// with the first byte that differs. An offer to upgrade is ignored.
extern const struct sp_protocol sp_http;

#endif
