// SPDX-License-Identifier: MIT
// Contents that are not raw are made so: those of types that are as wide here as on the
// wire are taken as they are.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "payload/writer.h"
#include "services/inference.h"

struct reading {
    const struct sp_oip_request *message;
    struct sp_inference_request *request;
    snakepit_message *why;
};

// ---- Parameters -------------------------------------------------------------------

static snakepit_value value_of(const struct sp_oip_parameter *parameter)
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    switch (parameter == NULL ? 0 : parameter->which) {
    case 1:
        value.kind = SNAKEPIT_BOOLEAN;
        value.as.boolean = parameter->bool_param;
        break;
    case 2:
        value.kind = SNAKEPIT_INTEGER;
        value.as.integer = parameter->int64_param;
        break;
    case 3:
        value.kind = SNAKEPIT_TEXT;
        value.as.text = (snakepit_span){(const char *)parameter->string_param.data,
                                        parameter->string_param.size};
        break;
    case 4:
        value.kind = SNAKEPIT_REAL;
        value.as.real = parameter->double_param;
        break;
    case 5:
        value.kind = SNAKEPIT_UNSIGNED;
        value.as.unsigned_integer = parameter->uint64_param;
        break;
    default:
        break;
    }
    return value;
}

static snakepit_err read_parameters(const struct reading *reading)
{
    snakepit_err err = SNAKEPIT_OK;
    const struct sp_oip_request *message = reading->message;
    for (size_t i = 0; err == SNAKEPIT_OK && i < message->parameters.count; i++) {
        const struct sp_text_to_oip_parameter *pair = &message->parameters.items[i];
        const snakepit_value value = value_of(pair->value);
        err = sp_inference_take_parameter(
            reading->request, pair->key, &value, reading->why);
    }
    return err;
}

// Those of an input or an output.
static snakepit_err read_tensor_parameters(const struct reading *reading,
                                           const char *kind,
                                           struct sp_slice tensor,
                                           const struct sp_text_to_oip_parameter *pairs,
                                           size_t count)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = sp_inference_take_tensor_parameter(
            kind, tensor, pairs[i].key, reading->why);
    }
    return err;
}

// ---- Contents ---------------------------------------------------------------------

// Numbers of four bytes that are to have fewer.
static snakepit_err narrow(const struct reading *reading,
                           const uint32_t *items,
                           size_t count,
                           struct sp_inference_tensor *input)
{
    const size_t size = snakepit_dtype_size((snakepit_dtype)input->dtype);
    const bool is_signed =
        input->dtype == SNAKEPIT_INT8 || input->dtype == SNAKEPIT_INT16;
    uint8_t *out = sp_writer_own(reading->request->args, count * size + 1);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    input->data = (struct sp_slice){out, count * size};
    for (size_t i = 0; i < count; i++) {
        const int64_t value =
            is_signed ? (int64_t)(int32_t)items[i] : (int64_t)items[i];
        const int64_t end = INT64_C(1) << (8 * size - (is_signed ? 1 : 0));
        if (value >= end || value < (is_signed ? -end : 0)) {
            return sp_inference_refuse(reading->why,
                                       "input",
                                       input->name,
                                       "element %zu of its contents is not one of %s",
                                       i,
                                       sp_inference_datatype_name(input->dtype));
        }
        memcpy(out + i * size, &items[i], size);
    }
    return SNAKEPIT_OK;
}

static snakepit_err join(const struct reading *reading,
                         const struct sp_slice *items,
                         size_t count,
                         struct sp_inference_tensor *input)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        size += SP_INFERENCE_LENGTH_SIZE + items[i].size;
    }
    uint8_t *out = sp_writer_own(reading->request->args, size);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    input->data = (struct sp_slice){out, size - 1};
    for (size_t i = 0; i < count; i++) {
        const uint32_t length = (uint32_t)items[i].size;
        memcpy(out, &length, SP_INFERENCE_LENGTH_SIZE);
        if (length > 0) {
            memcpy(out + SP_INFERENCE_LENGTH_SIZE, items[i].data, length);
        }
        out += SP_INFERENCE_LENGTH_SIZE + length;
    }
    return SNAKEPIT_OK;
}

static snakepit_err
take(struct sp_inference_tensor *input, const void *items, size_t size)
{
    input->data = (struct sp_slice){items, size};
    return SNAKEPIT_OK;
}

#define TAKE(list) take(input, (list).items, (list).count * sizeof *(list).items)

static snakepit_err read_contents(const struct reading *reading,
                                  const struct sp_oip_contents *contents,
                                  struct sp_inference_tensor *input)
{
    switch (input->dtype) {
    case SNAKEPIT_BOOL:
        return TAKE(contents->bool_contents);
    case SNAKEPIT_INT32:
        return TAKE(contents->int_contents);
    case SNAKEPIT_INT64:
        return TAKE(contents->int64_contents);
    case SNAKEPIT_UINT32:
        return TAKE(contents->uint_contents);
    case SNAKEPIT_UINT64:
        return TAKE(contents->uint64_contents);
    case SNAKEPIT_FLOAT32:
        return TAKE(contents->fp32_contents);
    case SNAKEPIT_FLOAT64:
        return TAKE(contents->fp64_contents);
    case SNAKEPIT_INT8:
    case SNAKEPIT_INT16:
        return narrow(reading,
                      (const uint32_t *)contents->int_contents.items,
                      contents->int_contents.count,
                      input);
    case SNAKEPIT_UINT8:
    case SNAKEPIT_UINT16:
        return narrow(reading,
                      contents->uint_contents.items,
                      contents->uint_contents.count,
                      input);
    case SP_INFERENCE_BYTES:
        return join(reading,
                    contents->bytes_contents.items,
                    contents->bytes_contents.count,
                    input);
    default:
        return sp_inference_refuse(reading->why,
                                   "input",
                                   input->name,
                                   "%s has no contents of its own; send raw contents",
                                   sp_inference_datatype_name(input->dtype));
    }
}

#undef TAKE

// ---- Inputs -----------------------------------------------------------------------

static snakepit_err read_input(const struct reading *reading,
                               size_t index,
                               struct sp_inference_tensor *input)
{
    static const struct sp_oip_contents nothing;
    const struct sp_oip_request *message = reading->message;
    const struct sp_oip_input *from = &message->inputs.items[index];
    input->name = from->name;
    input->dtype = sp_inference_datatype_of(from->datatype);
    if (input->dtype == 0) {
        return sp_inference_refuse(reading->why,
                                   "input",
                                   input->name,
                                   "its datatype is not one of the protocol's, such "
                                   "as FP32, INT64 and BYTES");
    }
    snakepit_err err = sp_inference_set_shape(
        input, from->shape.items, from->shape.count, reading->why);
    err = err == SNAKEPIT_OK ? read_tensor_parameters(reading,
                                                      "input",
                                                      input->name,
                                                      from->parameters.items,
                                                      from->parameters.count)
                             : err;
    if (err != SNAKEPIT_OK || message->raw_input_contents.count == 0) {
        return err != SNAKEPIT_OK
                   ? err
                   : read_contents(reading,
                                   from->contents == NULL ? &nothing : from->contents,
                                   input);
    }
    input->data = message->raw_input_contents.items[index];
    return from->contents == NULL
               ? SNAKEPIT_OK
               : sp_inference_refuse(reading->why,
                                     "input",
                                     input->name,
                                     "it has contents, and there are raw contents");
}

static snakepit_err read_wishes(const struct reading *reading)
{
    snakepit_err err = SNAKEPIT_OK;
    const struct sp_oip_request *message = reading->message;
    for (size_t i = 0; err == SNAKEPIT_OK && i < message->outputs.count; i++) {
        const struct sp_oip_wish *from = &message->outputs.items[i];
        reading->request->outputs[i].name = from->name;
        err = read_tensor_parameters(reading,
                                     "output",
                                     from->name,
                                     from->parameters.items,
                                     from->parameters.count);
    }
    return err;
}

static snakepit_err read_lists(const struct reading *reading)
{
    const struct sp_oip_request *message = reading->message;
    struct sp_inference_request *request = reading->request;
    const size_t raw = message->raw_input_contents.count;
    if (raw > 0 && raw != message->inputs.count) {
        (void)snprintf(reading->why->text,
                       sizeof reading->why->text,
                       "there are %zu inputs and raw contents for %zu",
                       message->inputs.count,
                       raw);
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    request->input_count = message->inputs.count;
    request->output_count = message->outputs.count;
    snakepit_err err = sp_inference_request_begin(
        request, request->input_count, request->output_count, reading->why);
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->input_count; i++) {
        err = read_input(reading, i, &request->inputs[i]);
    }
    return err == SNAKEPIT_OK ? read_wishes(reading) : err;
}

snakepit_err sp_inference_read_message(const struct sp_oip_request *message,
                                       struct sp_inference_request *request,
                                       snakepit_message *why)
{
    const struct reading reading = {message, request, why};
    request->id = message->id;
    snakepit_err err = read_parameters(&reading);
    err = err == SNAKEPIT_OK ? read_lists(&reading) : err;
    return err == SNAKEPIT_OK ? sp_inference_request_check(request, why) : err;
}
