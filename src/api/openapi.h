// SPDX-License-Identifier: MIT
// The OpenAPI 3.1 document: the rows of api/routes.def, and the tools of pools.
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// What the listeners of the daemon ask for.
enum sp_openapi_tokens {
    SP_OPENAPI_NO_TOKENS = 0,
    SP_OPENAPI_SOME_TOKENS, // some of them a token
    SP_OPENAPI_TOKENS,      // each of them
};

// One that is being written. Errors stick.
struct sp_openapi {
    struct sp_buf *out;
    enum sp_openapi_tokens tokens;
    snakepit_err err;
};

// Appends to `out`, which it keeps until the end.
void sp_openapi_begin(struct sp_openapi *openapi,
                      struct sp_buf *out,
                      enum sp_openapi_tokens tokens);
// The tools of a pool: `table` is what snakepit_pool_tools() answers. What in it is not
// as it should be is left out, for it comes from a worker.
void sp_openapi_add_pool(struct sp_openapi *openapi,
                         const char *pool,
                         const snakepit_reader *table);
// OK: the document is whole. NO_MEMORY.
snakepit_err sp_openapi_end(struct sp_openapi *openapi);

#endif
