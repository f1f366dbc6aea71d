// SPDX-License-Identifier: MIT
// Which version of HTTP a connection speaks.
#ifndef FRONT_HTTP_H
#define FRONT_HTTP_H

#include "front/connection.h"

// Looks at what a client sends first: the preface of HTTP/2 (RFC 9113, section 3.4)
// makes it that, anything else HTTP/1.1, with the first byte that differs. An offer to
// upgrade is ignored.
extern const struct sp_protocol sp_http;

// Goes on with `protocol`, for a connection whose protocol has nothing under way, and
// which has a protocol that `user` is NULL of. NO_MEMORY: abort it.
snakepit_err sp_http_speak(struct sp_connection *connection,
                           const struct sp_protocol *protocol);

#endif
