// SPDX-License-Identifier: MIT
// Calls whose chunks are sent while they come, whatever the door they came through.
#ifndef API_STREAM_H
#define API_STREAM_H

#include "api/ask.h"

// How a door writes a stream. Whatever a function appends is sent before the next one
// is called for another stream. NO_MEMORY of any of them breaks the stream off.
struct sp_api_stream_form {
    // Begins the answer. `call` is the name or number of the call.
    void (*begin)(struct sp_exchange *exchange, const char *call);
    // Appends the chunk that was read last. UNSERIALISABLE: it cannot be written.
    snakepit_err (*chunk)(struct sp_buf *out,
                          snakepit_stream *chunks,
                          const snakepit_reader *chunk,
                          const struct sp_api_stream_form *form);
    // Why a value cannot be, as a fault that borrows from `why`.
    snakepit_fault (*unwritable)(const snakepit_reader *value,
                                 unsigned as,
                                 snakepit_message *why);
    // Appends what the tool returned at its end. UNSERIALISABLE as above. NULL:
    // nothing.
    snakepit_err (*result)(struct sp_buf *out,
                           snakepit_answer *answer,
                           const struct sp_api_stream_form *form);
    // Appends that the call has failed after the answer has begun. NULL: nothing.
    snakepit_err (*fault)(struct sp_buf *out,
                          const struct sp_exchange *exchange,
                          const snakepit_fault *fault);
    // Appends what keeps a silent stream alive. NULL: it needs nothing.
    snakepit_err (*silence)(struct sp_buf *out);
    // Ends the exchange. `fault` is NULL where the call has ended well.
    void (*end)(struct sp_exchange *exchange,
                const snakepit_fault *fault,
                uint32_t retry_after_ms);
    // Answers a call that fails before the answer has begun. NULL: sp_api_fault().
    void (*refuse)(struct sp_exchange *exchange, const snakepit_fault *fault);
    // It is kept no longer. NULL: it is of no stream alone.
    void (*over)(const struct sp_api_stream_form *form);
    unsigned as; // for the functions above
    void *own;   // the same
};

// Begins the stream and answers the exchange, now or later. `form` is kept.
void sp_api_stream(struct sp_exchange *exchange,
                   struct sp_api_ask *ask,
                   const struct sp_api_stream_form *form);

#endif
