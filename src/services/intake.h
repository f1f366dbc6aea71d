// SPDX-License-Identifier: MIT
// What comes of the messages of a call: whether they may be as they are, whether they
// come fast enough, and what they hold. The loop of the call.
#ifndef SERVICES_INTAKE_H
#define SERVICES_INTAKE_H

#include <stdbool.h>

#include <snakepit/errors.h>

#include "base/slice.h"
#include "grpc/frame.h"
#include "grpc/status.h"

struct sp_grpc_call;

// Why a body is not one of messages, for the client.
const char *sp_grpc_explain_read(const struct sp_grpc_call *call,
                                 enum sp_grpc_read read,
                                 enum sp_grpc_code *code);
// The same of what came of its bytes.
const char *sp_grpc_explain_bytes(const struct sp_grpc_call *call,
                                  snakepit_err err,
                                  enum sp_grpc_code *code);

// Of a message that was large: `call->plain` holds it if `code` is OK.
typedef void
sp_grpc_unpacked_fn(struct sp_grpc_call *call, enum sp_grpc_code code, const char *why);

// The message that is whole, unpacked; borrowed from the call. OK, else why not. One
// that would keep the loop from its other connections is unpacked beside it:
// `call->unpacking` is set then, the message is empty, and `then` is called later,
// unless the call is freed before.
enum sp_grpc_code sp_grpc_unpack(struct sp_grpc_call *call,
                                 sp_grpc_unpacked_fn *then,
                                 struct sp_slice *message,
                                 const char **why);
// Before the call is freed.
void sp_grpc_unpack_no_more(struct sp_grpc_call *call);

// To be asked when bytes have come, and from time to time: whether the message that has
// begun comes as fast as `serve: body_min_rate` asks. None that has not begun is slow,
// nor one that waits here because its client does not read.
bool sp_grpc_keeps_pace(struct sp_grpc_call *call);
// RESOURCE_EXHAUSTED then, with this.
#define SP_GRPC_TOO_SLOW "the message comes slower than `serve: body_min_rate` asks"

#endif
