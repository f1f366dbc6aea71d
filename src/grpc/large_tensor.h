// SPDX-License-Identifier: MIT
// A large tensor in a CallRequest that has only begun to come: its bytes can go where
// its worker finds them, and need never stand in the message.
#ifndef GRPC_LARGE_TENSOR_H
#define GRPC_LARGE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define SP_LARGE_TENSOR_LEVELS 4u

struct sp_v1_call_request;

// One length of a message, before what is that long.
struct sp_large_length {
    size_t at; // where it stands
    size_t width;
    size_t value;
};

struct sp_large_tensor {
    struct sp_slice pool; // that stands before it; borrowed from the message
    size_t at;            // where its bytes begin in the message
    size_t size;          // how many there are
    // That of the arguments, of the entry of the map, of the tensor and of its bytes.
    struct sp_large_length lengths[SP_LARGE_TENSOR_LEVELS];
};

// Finds the first tensor of `least` bytes or more that begins within `head`, of a
// message of `total` bytes. False: there is none, or it is malformed.
bool sp_large_tensor_find(struct sp_slice head,
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

#endif
