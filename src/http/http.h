// SPDX-License-Identifier: MIT
// Which version of HTTP a connection speaks.
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "server/connection.h"

// What was agreed with TLS. Where nothing was, it looks at what the client sends first:
// the preface of HTTP/2 (RFC 9113, section 3.4) makes it that, anything else HTTP/1.1,
// with the first byte that differs. An offer to upgrade is ignored.
extern const struct sp_protocol sp_http;

// HTTP/1.1 alone; http/http1.c.
extern const struct sp_protocol sp_http1;

#endif
