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

// The message that is whole, unpacked; borrowed from the call. OK, else why not.
enum sp_grpc_code
sp_grpc_unpack(struct sp_grpc_call *call, struct sp_slice *message, const char **why);

// To be asked when bytes have come, and from time to time: whether the message that has
// begun comes as fast as `serve: body_min_rate` asks. None that has not begun is slow,
// nor one that waits here because its client does not read.
bool sp_grpc_keeps_pace(struct sp_grpc_call *call);
// RESOURCE_EXHAUSTED then, with this.
#define SP_GRPC_TOO_SLOW "the message comes slower than `serve: body_min_rate` asks"

#endif
