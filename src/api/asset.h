// SPDX-License-Identifier: MIT
// The files of the dashboard (web/), which the build puts into the program. They are
// constant, and the same for everybody: what they show they ask for themselves.
#ifndef API_ASSET_H
#define API_ASSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct sp_exchange;

struct sp_asset {
    const char *name;       // "index.html"
    const char *type;       // for Content-Type
    const char *tag;        // for ETag: W/"..."; of its contents
    struct sp_slice plain;  // its bytes
    struct sp_slice packed; // the same as gzip
};

// In the file that cmake/embed.cmake makes.
extern const struct sp_asset sp_assets[];
extern const size_t sp_assets_count;

// NULL: there is none of that name.
const struct sp_asset *sp_asset_find(const char *name);

// Answers with the file, in gzip if the client takes that; or with 304 if it has it.
void sp_api_reply_asset(struct sp_exchange *exchange, const struct sp_asset *asset);

#endif
