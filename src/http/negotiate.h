// SPDX-License-Identifier: MIT
// What a body is written in, and what its client wants to read.
#ifndef HTTP_NEGOTIATE_H
#define HTTP_NEGOTIATE_H

#include "server/exchange.h"

// As bits, so that several can be offered.
enum sp_media {
    SP_MEDIA_NONE = 0, // none of these
    SP_MEDIA_JSON = 1,
    SP_MEDIA_MSGPACK = 2,
    SP_MEDIA_EVENTS = 4, // text/event-stream
    SP_MEDIA_TEXT = 8,   // text/plain
    SP_MEDIA_OPENMETRICS = 16,
    SP_MEDIA_HTML = 32, // text/html
};

// "application/json" and so on, for `Content-Type`. Of one of them.
const char *sp_media_type(enum sp_media media);

// What the `Content-Type` says; SP_MEDIA_NONE also where there is not one.
enum sp_media sp_media_of_body(const struct sp_request *request);

// Which of what is `offered` the client wants most, by all its `Accept`. Of those that
// it wants alike: the one that it named more exactly, else the first one above. A
// client that says nothing wants `by_default`. SP_MEDIA_NONE: it takes none of them.
enum sp_media sp_media_accepted(const struct sp_request *request,
                                unsigned offered,
                                enum sp_media by_default);

#endif
