// SPDX-License-Identifier: MIT
// The large tensor of a call that is still coming: its bytes go from where they were
// received into the memory that the pool shares with its workers, and nowhere else.
#ifndef SERVICES_EARLY_TENSOR_H
#define SERVICES_EARLY_TENSOR_H

#include "config/access.h"
#include "grpc/frame.h"
#include "server/exchange.h"

#define SP_EARLY_TENSOR_HEAD 8192u // bytes of a message within which it is looked for

struct sp_early_tensor;
struct sp_large_path;
struct sp_oip_request;
struct sp_v1_call_request;

// Looks at the message, which has its tensors at `path`, that has begun to come, and
// has its first large tensor put aside. NULL: it has none, or there is no room for it:
// then the message is read as any other. Any pool that the client may not call has no
// room.
struct sp_early_tensor *sp_early_tensor_begin(const struct sp_large_path *path,
                                              struct sp_exchange *exchange,
                                              enum sp_access access,
                                              struct sp_grpc_reader *reader);
// Gives the request that was decoded from the rest of the message its tensor back. NULL
// is fine. Any thread.
void sp_early_tensor_put_back(const struct sp_early_tensor *early,
                              struct sp_slice message,
                              struct sp_v1_call_request *request);
// The same of an inference.
void sp_early_tensor_put_back_raw(const struct sp_early_tensor *early,
                                  struct sp_slice message,
                                  struct sp_oip_request *request);
// Calls that were submitted with it keep it as long as they want. NULL is fine.
void sp_early_tensor_free(struct sp_early_tensor *early);

#endif
