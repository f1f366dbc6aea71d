// SPDX-License-Identifier: MIT
// The head of an HTTP/1.1 request (RFC 9112): its first line and its fields. Pure and
// without memory of its own: bytes in, a head or a refusal out, the same however the
// bytes were split. What could be read in two ways is refused, for whoever forwards
// requests to us may read it in the other.
#ifndef HTTP_HTTP1_PARSER_H
#define HTTP_HTTP1_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/exchange.h"

// How far the search for the end of a head has come. Zeroed: at its beginning.
struct sp_http1_scan {
    size_t line;  // where the first line begins that has not ended
    size_t at;    // all before it was looked at
    size_t lines; // that have ended; one empty line before them does not count
    bool skipped; // that empty line was there
};

// Looks for the end of the head in `bytes`, which begin where they did the last time
// and are only looked at once. The size of the head, with the empty line at its end; 0:
// there must be more, or `refusal` says why not (400, 414, 431). A head has at most
// `limit` bytes.
size_t sp_http1_scan(struct sp_http1_scan *scan,
                     struct sp_slice bytes,
                     size_t limit,
                     struct sp_refusal *refusal);
// How many fields a head has that was found.
static inline size_t sp_http1_scan_fields(const struct sp_http1_scan *scan)
{
    return scan->lines - 1;
}

struct sp_http1_head {
    enum sp_method method;
    unsigned minor;       // of HTTP/1.minor: 0, or 1 for all others
    struct sp_slice path; // these three as in struct sp_request
    struct sp_slice query;
    struct sp_slice host;
    size_t field_count;
    bool keep_alive;     // another request may follow
    bool chunked;        // the body has that coding; else it has so many bytes:
    uint64_t length;     // UINT64_MAX: that many or more
    bool wants_continue; // before it sends the body
};

// Reads a head that sp_http1_scan() has found; the names of fields become lower case
// where they are. What `head` and `fields` point to lies in `bytes`. `fields` has room
// for all of them. A refusal (400, 417, 501, 505) leaves both undefined.
struct sp_refusal sp_http1_read_head(uint8_t *bytes,
                                     size_t size,
                                     struct sp_field *fields,
                                     struct sp_http1_head *head);

#endif
