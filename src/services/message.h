// SPDX-License-Identifier: MIT
// The messages of gRPC methods, from a body and into one.
#ifndef SERVICES_MESSAGE_H
#define SERVICES_MESSAGE_H

#include <stdbool.h>

#include "api/router.h"
#include "protobuf/message.h"
#include "server/exchange.h"
#include "services/call.h"

struct sp_api_ask;

// Decodes a request; the struct borrows from `bytes` and `scratch`. False: it was
// refused, and the exchange is answered.
bool sp_grpc_decode(struct sp_exchange *exchange,
                    const struct sp_proto_type *type,
                    struct sp_slice bytes,
                    struct sp_scratch *scratch,
                    void *message);

// Whether a message was read beforehand. False: it was refused, for `why`; a malformed
// one is the client's fault.
bool sp_grpc_is_read(struct sp_exchange *exchange,
                     snakepit_err err,
                     bool malformed,
                     const snakepit_message *why);

// Copies a text of a request, with a zero behind it. `what` is the field's name. False:
// it is longer than 255 bytes, or has a zero in it, and was refused.
bool sp_grpc_text(struct sp_exchange *exchange,
                  struct sp_slice text,
                  const char *what,
                  char room[SP_PARAM_SIZE]);
// The same of a pool's name, which is "default" where there is none, for a client that
// may do there what the method does.
bool sp_grpc_pool(const struct sp_grpc_call *call,
                  struct sp_slice text,
                  char room[SP_PARAM_SIZE]);

// When the call ends, by what its client has said of time.
void sp_grpc_take_deadline(const struct sp_grpc_call *call, struct sp_api_ask *ask);

// Answers with one message; see sp_grpc_reply().
void sp_grpc_answer(struct sp_exchange *exchange,
                    const struct sp_proto_type *type,
                    const void *message);
// Appends a message with its frame. NO_MEMORY: `out` is as it was.
snakepit_err sp_grpc_append(struct sp_buf *out,
                            const struct sp_proto_type *type,
                            const void *message);

#endif
