// SPDX-License-Identifier: MIT
// Tools as models: what the table of tools says of one, as metadata.
#ifndef INFERENCE_MODEL_H
#define INFERENCE_MODEL_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "inference/tensor.h"
#include "protobuf/scratch.h"

#define SP_INFERENCE_VERSION  "1" // of every model
#define SP_INFERENCE_PLATFORM "snakepit_python"
#define SP_INFERENCE_UNKNOWN  "UNKNOWN" // a datatype that no annotation says

struct sp_inference_model {
    struct sp_inference_tensor *inputs;
    size_t input_count;
    struct sp_inference_tensor *outputs;
    size_t output_count; // 0 also where nothing is known of them
};

// The name of the datatype in metadata; SP_INFERENCE_UNKNOWN for 0.
const char *sp_inference_datatype_shown(int dtype);

// Of the row `tool` of a table (python/snakepit_bridge/schemas.py). Inputs are the
// parameters that are arrays, or lists of bytes; one without an annotation counts where
// it has no default. An input of which no shape is known has the shape [-1].
//
// INVALID_ARGUMENT: the tool is not a model, and `why` says what about it. NO_MEMORY.
snakepit_err sp_inference_model_read(const snakepit_reader *tool,
                                     struct sp_scratch *scratch,
                                     struct sp_inference_model *model,
                                     snakepit_message *why);

// Appends the metadata of HTTP. NO_MEMORY.
snakepit_err sp_inference_model_write(const struct sp_inference_model *model,
                                      const char *name,
                                      struct sp_buf *out);

#endif
