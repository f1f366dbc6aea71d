// SPDX-License-Identifier: MIT
// The fields of an HTTP/2 message, one behind the other in one buffer; and what those
// of a request ask for.
#ifndef HTTP_HTTP2_FIELDS_H
#define HTTP_HTTP2_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/exchange.h"

// Zeroed: there are none. Owner: whoever embeds it.
struct sp_http2_fields {
    struct sp_buf bytes;
    size_t count;
    size_t size; // as SETTINGS_MAX_HEADER_LIST_SIZE counts it: 32 more for each field
};

// Copies both. NO_MEMORY.
snakepit_err sp_http2_fields_add(struct sp_http2_fields *fields,
                                 struct sp_slice name,
                                 struct sp_slice value);
// The next one, from `at`, which is 0 at first. False: there are no more. Until one is
// added.
bool sp_http2_fields_next(const struct sp_http2_fields *fields,
                          size_t *at,
                          struct sp_field *field);
void sp_http2_fields_fini(struct sp_http2_fields *fields);

// What a request asks for. All of it lies in the fields it was read from.
struct sp_http2_head {
    enum sp_method method;
    struct sp_slice path; // these three as in struct sp_request
    struct sp_slice query;
    struct sp_slice host;
    size_t field_count;
    uint64_t length;     // of the body, as it says; 0: perhaps it says nothing
    bool wants_continue; // before it sends the body
};

// Reads the fields of a request that nghttp2 has let pass: `:method` is there, nothing
// is there twice that may not be, names are in lower case, a length is a number, and no
// field is of the connection. Those that do not begin with ':' go into `fields`, which
// has room for all of them. A refusal (400, 417, 501) leaves both undefined.
struct sp_refusal sp_http2_read_head(const struct sp_http2_fields *list,
                                     struct sp_field *fields,
                                     struct sp_http2_head *head);

#endif
