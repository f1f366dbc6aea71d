// SPDX-License-Identifier: MIT
// What a request is about, as its first line or `:path` says it. Pure.
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>

#include "base/slice.h"

// All of it lies in what was read.
struct sp_target {
    struct sp_slice path;      // begins with '/', or is "*"; still percent-encoded
    struct sp_slice query;     // behind the '?', or empty
    struct sp_slice authority; // of "http://host:port/path"; else its data is NULL
};

// Reads "/path?query", "http://host:port/path?query" or "*". False: it is none of them,
// has a byte that may not be there, a '%' that no two digits follow, or an encoded
// zero.
bool sp_target_read(struct sp_slice text, struct sp_target *target);

// Whether `host` is a host and perhaps a port, as a Host field has it. Empty is fine:
// what is asked through a Unix socket has none.
bool sp_target_host_is_valid(struct sp_slice host);

#endif
