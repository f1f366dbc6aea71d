// SPDX-License-Identifier: MIT
// The tensors of the Open Inference Protocol, whichever door they cross.
#ifndef INFERENCE_TENSOR_H
#define INFERENCE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// The dtype of elements of any length, beside those of enum snakepit_dtype.
#define SP_INFERENCE_BYTES 0x100

#define SP_INFERENCE_TENSORS_MOST 1024u // inputs of a request, and outputs of one

#define SP_INFERENCE_LENGTH_SIZE 4u // bytes of the length before an element of BYTES

// A tensor with its name. Borrows.
struct sp_inference_tensor {
    struct sp_slice name;
    int dtype; // enum snakepit_dtype or SP_INFERENCE_BYTES; in metadata 0: any
    uint32_t rank;
    int64_t shape[SNAKEPIT_MAX_RANK]; // in metadata -1: any extent
    // The elements, packed in C order, little-endian. Of BYTES each has its length
    // before it.
    struct sp_slice data;
};

// The protocol's name of a dtype; NULL: it has none.
const char *sp_inference_datatype_name(int dtype);
// The dtype of that name; 0: there is none.
int sp_inference_datatype_of(struct sp_slice name);

// Sets the shape; a negative extent is refused. INVALID_ARGUMENT: `why` names the
// input.
snakepit_err sp_inference_set_shape(struct sp_inference_tensor *tensor,
                                    const int64_t *shape,
                                    size_t rank,
                                    snakepit_message *why);
// How many elements its shape has. INVALID_ARGUMENT: more than memory can have.
snakepit_err sp_inference_elements(const struct sp_inference_tensor *tensor,
                                   uint64_t *elements);
// Whether the data is as long as shape and datatype say. INVALID_ARGUMENT: `why` names
// the input and says what is wrong.
snakepit_err sp_inference_check(const struct sp_inference_tensor *tensor,
                                snakepit_message *why);

// Takes the first element of those of BYTES. False: there is not one.
bool sp_inference_next_element(struct sp_slice *data, struct sp_slice *element);

// Says what is wrong of the tensor `name`, and returns INVALID_ARGUMENT. `kind` is
// "input" or "output".
snakepit_err sp_inference_refuse(snakepit_message *why,
                                 const char *kind,
                                 struct sp_slice name,
                                 const char *format,
                                 ...) __attribute__((format(printf, 4, 5)));

#endif
