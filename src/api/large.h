// SPDX-License-Identifier: MIT
// Requests whose body is so large that to read it would keep the loop from its other
// connections: a thread of the server reads it, and uses what it holds; the rest is
// done on the loop.
#ifndef API_LARGE_H
#define API_LARGE_H

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "http/body.h"
#include "server/exchange.h"
#include "server/offload.h"

#define SP_API_LARGE ((size_t)1 << 20) // bytes of a body, or of a result

struct sp_api_large;

struct sp_api_large_ops {
    const char *what; // the body holds
    // On a thread of the server: reads the body into `value`, in place of
    // sp_body_read(). NULL: that does.
    snakepit_err (*read)(struct sp_api_large *large);
    // On a thread of the server, when the body was read: `value`, which may borrow from
    // the body. May take it; else it is gone afterwards. May fail, and then says why.
    snakepit_err (*use)(struct sp_api_large *large);
    // On the loop; frees. `exchange` is NULL where nobody waits any more; else it is to
    // be answered, or its listener to be another one. The body is gone afterwards.
    void (*done)(struct sp_api_large *large);
};

// Embedded first in what the request is to become. The first four belong to the loop;
// the others to the thread until `done`.
struct sp_api_large {
    struct sp_offload_work work;
    struct sp_exchange *exchange;
    struct sp_budget *budget;
    size_t taken; // bytes of memory of the body
    const struct sp_api_large_ops *ops;
    struct sp_buf bytes; // of the body
    struct sp_body body;
    snakepit_writer *value;
    snakepit_err err;
    snakepit_message why;
};

// Whether the body is large, and can be taken from its protocol.
bool sp_api_is_large(const struct sp_exchange *exchange);
// Takes the body and has it read. `large` is zeroed.
void sp_api_large_begin(struct sp_api_large *large,
                        struct sp_exchange *exchange,
                        const struct sp_api_large_ops *ops);
// Within `done`: true if it has failed, or if nobody waits; then the exchange is
// answered.
bool sp_api_large_is_over(struct sp_api_large *large);

#endif
