// SPDX-License-Identifier: MIT
// Elements of any length become lists: where none is empty each list has an element at
// least, so there are not more lists than elements and dimensions.
#include <string.h>

#include "inference/request.h"

static void write_name(snakepit_writer *writer, struct sp_slice name)
{
    snakepit_writer_strn(writer, (const char *)name.data, name.size);
}

static void write_level(snakepit_writer *writer,
                        const struct sp_inference_tensor *tensor,
                        uint32_t level,
                        struct sp_slice *left)
{
    struct sp_slice element = {NULL, 0};
    if (level == tensor->rank) {
        (void)sp_inference_next_element(left, &element);
        snakepit_writer_bytes(writer, element.data, element.size);
        return;
    }
    snakepit_writer_array(writer, (uint32_t)tensor->shape[level]);
    for (int64_t i = 0; i < tensor->shape[level]; i++) {
        write_level(writer, tensor, level + 1, left);
    }
}

static void write_lists(snakepit_writer *writer,
                        const struct sp_inference_tensor *tensor)
{
    uint64_t elements = 0;
    struct sp_slice left = tensor->data;
    (void)sp_inference_elements(tensor, &elements);
    if (elements == 0) {
        snakepit_writer_array(writer, 0);
    } else {
        write_level(writer, tensor, 0, &left);
    }
}

static void write_tensor(snakepit_writer *writer,
                         const struct sp_inference_tensor *tensor)
{
    static const uint8_t nothing;
    snakepit_tensor written = {.data = tensor->data.size == 0 ? &nothing
                                                              : tensor->data.data,
                               .dtype = (snakepit_dtype)tensor->dtype,
                               .rank = tensor->rank};
    memcpy(written.shape, tensor->shape, sizeof written.shape);
    snakepit_writer_tensor(writer, &written);
}

void sp_inference_write_arguments(const struct sp_inference_request *request)
{
    snakepit_writer *writer = request->args;
    snakepit_writer_map(writer, (uint32_t)request->input_count);
    for (size_t i = 0; i < request->input_count; i++) {
        const struct sp_inference_tensor *input = &request->inputs[i];
        write_name(writer, input->name);
        if (input->dtype == SP_INFERENCE_BYTES) {
            write_lists(writer, input);
        } else {
            write_tensor(writer, input);
        }
    }
}
