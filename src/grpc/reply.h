// SPDX-License-Identifier: MIT
// What a client of gRPC is answered, on its exchange.
#ifndef GRPC_REPLY_H
#define GRPC_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/fault.h>

#include "grpc/status.h"
#include "server/exchange.h"

// Metadata: fields that an answer has besides those of gRPC. Names are in lower case.
struct sp_grpc_metadata {
    const struct sp_field *fields;
    size_t count; // SP_GRPC_METADATA_MOST at most
};

#define SP_GRPC_METADATA_MOST 32u

// Begins an answer that has messages. `call`, for Snakepit-Call-Id: its name or number,
// or NULL.
void sp_grpc_begin(struct sp_exchange *exchange, const char *call);
// The same with metadata, borrowed.
void sp_grpc_begin_with(struct sp_exchange *exchange, struct sp_grpc_metadata metadata);
// Ends an answer that has begun, and the exchange.
void sp_grpc_end(struct sp_exchange *exchange,
                 enum sp_grpc_code code,
                 const char *message);
// The same with metadata, borrowed. The status has been set, and is empty then.
void sp_grpc_end_with(struct sp_exchange *exchange,
                      struct sp_grpc_status *status,
                      struct sp_grpc_metadata metadata);
// The same with OK, or with what `fault` says.
void sp_grpc_end_call(struct sp_exchange *exchange,
                      const snakepit_fault *fault,
                      uint32_t retry_after_ms);

// See sp_serve_loop_may_answer(). False: it was refused.
bool sp_grpc_may_answer(struct sp_exchange *exchange, size_t bytes);
// One message, framed, and OK: the whole answer.
void sp_grpc_reply(struct sp_exchange *exchange, struct sp_slice message);
// No message: the whole answer.
void sp_grpc_refuse(struct sp_exchange *exchange,
                    enum sp_grpc_code code,
                    const char *message);
// The same with a fault; `call` as above.
void sp_grpc_refuse_call(struct sp_exchange *exchange,
                         const snakepit_fault *fault,
                         uint32_t retry_after_ms,
                         const char *call);

#endif
