// SPDX-License-Identifier: MIT
// A large tensor in a request that has only begun to come: its bytes can go where
// its worker finds them, and need never stand in the message.
#ifndef GRPC_LARGE_TENSOR_H
#define GRPC_LARGE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define SP_LARGE_TENSOR_LEVELS 4u

struct sp_oip_request;
struct sp_v1_call_request;

// The fields that lead to the bytes of a tensor, and from what names the pool on.
struct sp_large_path {
    size_t levels;
    uint32_t fields[SP_LARGE_TENSOR_LEVELS];
};

// That of snakepit.v1.CallRequest, and of inference.ModelInferRequest, where the
// model's name stands in place of the pool's.
extern const struct sp_large_path sp_large_path_call;
extern const struct sp_large_path sp_large_path_infer;

// One length of a message, before what is that long.
struct sp_large_length {
    size_t at; // where it stands
    size_t width;
    size_t value;
};

struct sp_large_tensor {
    const struct sp_large_path *path;
    struct sp_slice pool; // that stands before it; borrowed from the message
    size_t at;            // where its bytes begin in the message
    size_t size;          // how many there are
    // That of each level; of a call those of the arguments, of the entry of the map, of
    // the tensor and of its bytes.
    struct sp_large_length lengths[SP_LARGE_TENSOR_LEVELS];
};

// Finds the first tensor of `least` bytes or more that begins within `head`, of a
// message of `total` bytes. False: there is none, or it is malformed.
bool sp_large_tensor_find(const struct sp_large_path *path,
                          struct sp_slice head,
                          size_t total,
                          size_t least,
                          struct sp_large_tensor *found);
// Writes the lengths of a message whose tensor is without its bytes: what follows them
// is to stand at `found->at`.
void sp_large_tensor_leave_out(const struct sp_large_tensor *found, uint8_t *message);
// Gives the tensor of a message that was decoded its bytes back, which are borrowed.
// They are nobody's if another field has taken its place.
void sp_large_tensor_put_back(const struct sp_large_tensor *found,
                              const uint8_t *message,
                              const void *bytes,
                              struct sp_v1_call_request *request);
// The same of the raw contents of an inference.
void sp_large_tensor_put_back_raw(const struct sp_large_tensor *found,
                                  const uint8_t *message,
                                  const void *bytes,
                                  struct sp_oip_request *request);

#endif
