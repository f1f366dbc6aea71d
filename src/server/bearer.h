// SPDX-License-Identifier: MIT
// The token that a request shows (RFC 6750, in the header alone).
#ifndef SERVER_BEARER_H
#define SERVER_BEARER_H

#include "base/slice.h"
#include "server/exchange.h"

enum sp_bearer {
    SP_BEARER_FOUND = 0,
    SP_BEARER_NONE,    // there is no Authorization
    SP_BEARER_TWO,     // there is more than one: which is meant?
    SP_BEARER_OTHER,   // it is of another scheme
    SP_BEARER_INVALID, // it is not a token: empty, too long, or with foreign bytes
};

// `token` is set where it was found, borrowed from the request.
enum sp_bearer sp_bearer_of(const struct sp_request *request, struct sp_slice *token);
// What is wrong, for whoever sent it; "" where it was found.
const char *sp_bearer_text(enum sp_bearer found);

#endif
