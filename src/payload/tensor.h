// SPDX-License-Identifier: MIT
// Tensors as plain memory: their size, and packing a strided one.
#ifndef PAYLOAD_TENSOR_H
#define PAYLOAD_TENSOR_H

#include <snakepit/payload.h>

// The dtype that NumPy names so ("float32"); 0 for none.
int sp_dtype_of(const char *name);

// Checks all that can be checked of a tensor that a caller hands over and gives its
// packed size. INVALID_ARGUMENT: as snakepit_tensor_bytes(), or no data where there
// should be some.
snakepit_err sp_tensor_check(const snakepit_tensor *tensor, size_t *bytes);

// Says in one sentence what sp_tensor_check() has refused, and the remedy.
void sp_tensor_explain(const snakepit_tensor *tensor, char *text, size_t size);

// Copies a tensor that passed sp_tensor_check(), packed in C order, to `out`, which has
// room for its packed size and does not overlap it. Strides may be negative, and zero
// where one element repeats, unless all are zero: that is packed.
void sp_tensor_pack(const snakepit_tensor *tensor, void *out);

// Sets the strides of a packed tensor that passed sp_tensor_check().
void sp_tensor_set_packed(snakepit_tensor *tensor);

#endif
