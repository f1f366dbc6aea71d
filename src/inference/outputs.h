// SPDX-License-Identifier: MIT
// What a tool returned, as the outputs of a model.
#ifndef INFERENCE_OUTPUTS_H
#define INFERENCE_OUTPUTS_H

#include <snakepit/payload.h>

#include "inference/request.h"
#include "inference/tensor.h"
#include "protobuf/scratch.h"

// What a client wants to read: of a request, and lives on when that is gone.
struct sp_inference_wanted {
    struct sp_scratch scratch; // of what follows
    struct sp_slice model;
    struct sp_slice id; // empty: the request has none
    struct sp_inference_wish *outputs;
    size_t output_count; // 0: all
    bool binary;
};

// `wanted` is zeroed. NO_MEMORY: it is to be ended all the same.
snakepit_err sp_inference_want(const struct sp_inference_request *request,
                               const char *model,
                               struct sp_inference_wanted *wanted);
void sp_inference_wanted_fini(struct sp_inference_wanted *wanted);

struct sp_inference_output {
    struct sp_inference_tensor tensor;
    bool binary;
};

// The outputs that a client wants, in its order. Zeroed it is empty. Borrows from the
// value, and owns what is in `scratch`.
struct sp_inference_outputs {
    struct sp_scratch scratch;
    struct sp_inference_output *items;
    size_t count;
};

void sp_inference_outputs_fini(struct sp_inference_outputs *outputs);

// Of the value that comes next: a map has an output in each pair; a list with a tensor
// in it one in each item, "output_0" and so on; None has none; anything else is
// "output". A number, a text or bytes are 0-d; lists of them have as many dimensions as
// they are deep.
//
// UNSERIALISABLE: it is no tensor of the protocol. INVALID_ARGUMENT: one is wanted that
// is not there. NO_MEMORY. `why` names the output.
snakepit_err sp_inference_gather(const snakepit_reader *value,
                                 const struct sp_inference_wanted *wanted,
                                 struct sp_inference_outputs *outputs,
                                 snakepit_message *why);

// Appends the answer of HTTP: JSON, and behind it what is binary. `head` is how many
// bytes of it are JSON. UNSERIALISABLE: an output has no form in JSON; `why` names it.
// NO_MEMORY.
snakepit_err sp_inference_write_json(const struct sp_inference_wanted *wanted,
                                     const struct sp_inference_outputs *outputs,
                                     struct sp_buf *out,
                                     size_t *head,
                                     snakepit_message *why);
// Whether any of them is binary.
bool sp_inference_has_binary(const struct sp_inference_outputs *outputs);
// Appends a text in quotes. NO_MEMORY.
snakepit_err sp_inference_add_quoted(struct sp_buf *out, struct sp_slice text);

#endif
