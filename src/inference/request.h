// SPDX-License-Identifier: MIT
// What a client asks of a model, whichever door it came through.
#ifndef INFERENCE_REQUEST_H
#define INFERENCE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"
#include "inference/tensor.h"
#include "protobuf/scratch.h"

// How an output is to be written in an answer that may be JSON.
enum sp_inference_form {
    SP_INFERENCE_AS_REQUESTED = 0, // as the request says of all
    SP_INFERENCE_JSON,
    SP_INFERENCE_BINARY,
};

struct sp_inference_wish {
    struct sp_slice name;
    enum sp_inference_form form;
};

// What a request may say of its call, beside what header fields say.
struct sp_inference_settings {
    uint64_t timeout_us; // 0: it says nothing
    uint64_t priority;
    bool has_priority;
    struct sp_slice session; // without data: it says nothing
};

// Zeroed but for `args`, then filled by a door. Borrows from its message, and owns what
// is in `scratch` and `head`.
struct sp_inference_request {
    struct sp_slice id;
    struct sp_inference_tensor *inputs;
    size_t input_count;
    struct sp_inference_wish *outputs;
    size_t output_count; // 0: all
    bool binary;         // outputs of whose form nothing is said
    struct sp_inference_settings settings;
    struct sp_scratch scratch;
    snakepit_writer *head; // what JSON said
    snakepit_writer *args; // has the elements that had to be made; borrowed
};

void sp_inference_request_fini(struct sp_inference_request *request);

// Room for inputs and wishes. INVALID_ARGUMENT: more than SP_INFERENCE_TENSORS_MOST;
// NO_MEMORY.
snakepit_err sp_inference_request_begin(struct sp_inference_request *request,
                                        size_t inputs,
                                        size_t outputs,
                                        snakepit_message *why);
// Takes a parameter of the request; those that nobody knows are passed over.
// INVALID_ARGUMENT: it is known, and its value is none for it, or it asks for what
// there is not.
snakepit_err sp_inference_take_parameter(struct sp_inference_request *request,
                                         struct sp_slice name,
                                         const snakepit_value *value,
                                         snakepit_message *why);
// The same of a parameter of an input, or of an output, in `kind`.
snakepit_err sp_inference_take_tensor_parameter(const char *kind,
                                                struct sp_slice tensor,
                                                struct sp_slice name,
                                                snakepit_message *why);
// Whether all inputs are as they say, and no two have one name. INVALID_ARGUMENT.
snakepit_err sp_inference_request_check(const struct sp_inference_request *request,
                                        snakepit_message *why);

bool sp_inference_is_text(struct sp_slice value, const char *text);

// Writes the inputs into `args`: tensors, whose data is borrowed until that was taken;
// of BYTES a list of bytes, of lists where there are more dimensions. The request has
// passed the check, and need not live any longer.
void sp_inference_write_arguments(const struct sp_inference_request *request);

// Reads the body of a request of HTTP. `head`: how many bytes of it are JSON, as
// `Inference-Header-Content-Length` says; the others are those of tensors. The request
// has passed the check then. INVALID_ARGUMENT, MALFORMED, NO_MEMORY: `why`. Any thread.
snakepit_err sp_inference_read_json(struct sp_inference_request *request,
                                    struct sp_slice body,
                                    size_t head,
                                    uint64_t most_values,
                                    snakepit_message *why);

#endif
