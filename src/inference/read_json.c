// SPDX-License-Identifier: MIT
// The head of a body is read as MessagePack, and walked. Elements that stand in it as
// JSON are counted before there is room for them, so that a shape alone takes none.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "http/body.h"
#include "inference/request.h"
#include "payload/writer.h"

struct reading {
    struct sp_inference_request *request;
    struct sp_slice binary; // what of it no input has taken yet
    snakepit_message *why;
};

static snakepit_err refuse(const struct reading *reading, const char *sentence)
{
    (void)snprintf(reading->why->text, sizeof reading->why->text, "%s", sentence);
    return SNAKEPIT_INVALID_ARGUMENT;
}

static struct sp_slice slice_of(const snakepit_value *value)
{
    return (struct sp_slice){(const uint8_t *)value->as.text.data, value->as.text.size};
}

// The value under `key`, if it is of that kind.
static bool find(const snakepit_reader *map,
                 const char *key,
                 snakepit_kind kind,
                 snakepit_reader *at,
                 snakepit_value *value)
{
    return snakepit_reader_find(map, key, at) == SNAKEPIT_OK &&
           snakepit_reader_next(at, value) == SNAKEPIT_OK && value->kind == kind;
}

// ---- Elements in JSON -----------------------------------------------------------

// Steps to the next value that is no list. False: there are no more, or there is what
// cannot be an element. `pending` is 1 at the beginning.
static bool next_scalar(snakepit_reader *at, uint64_t *pending, snakepit_value *value)
{
    while (*pending > 0) {
        --*pending;
        if (snakepit_reader_next(at, value) != SNAKEPIT_OK) {
            return false;
        }
        if (value->kind != SNAKEPIT_ARRAY) {
            return true;
        }
        *pending += value->as.count;
    }
    return false;
}

struct counted {
    uint64_t elements;
    size_t bytes; // that they have as BYTES
};

static struct counted count_scalars(snakepit_reader at)
{
    uint64_t pending = 1;
    snakepit_value value;
    struct counted counted = {.elements = 0};
    while (next_scalar(&at, &pending, &value)) {
        const bool text = value.kind == SNAKEPIT_TEXT || value.kind == SNAKEPIT_BYTES;
        counted.elements++;
        counted.bytes += SP_INFERENCE_LENGTH_SIZE + (text ? value.as.text.size : 0);
    }
    return counted;
}

static uint8_t *put_length(uint8_t *out, size_t size)
{
    for (unsigned i = 0; i < SP_INFERENCE_LENGTH_SIZE; i++) {
        *out++ = (uint8_t)(size >> (8 * i));
    }
    return out;
}

// The integer fits into so many bits, signed or not.
static bool integer_fits(const snakepit_value *value, unsigned bits, bool is_signed)
{
    if (value->kind == SNAKEPIT_UNSIGNED) {
        return bits == 64 && !is_signed;
    }
    const int64_t number = value->as.integer;
    if (value->kind != SNAKEPIT_INTEGER || (number < 0 && !is_signed)) {
        return false;
    }
    if (bits == 64) {
        return true;
    }
    const int64_t end = INT64_C(1) << (is_signed ? bits - 1 : bits);
    return number < end && (!is_signed || number >= -end);
}

static bool put_real(uint8_t *out, int dtype, const snakepit_value *value)
{
    double number = value->as.real;
    if (value->kind == SNAKEPIT_INTEGER) {
        number = (double)value->as.integer;
    } else if (value->kind == SNAKEPIT_UNSIGNED) {
        number = (double)value->as.unsigned_integer;
    } else if (value->kind != SNAKEPIT_REAL) {
        return false;
    }
    const float low = (float)number;
    if (dtype == SNAKEPIT_FLOAT32) {
        memcpy(out, &low, sizeof low);
        return !isinf(low) || isinf(number);
    }
    memcpy(out, &number, sizeof number);
    return true;
}

static bool put_integer(uint8_t *out,
                        snakepit_dtype dtype,
                        size_t size,
                        const snakepit_value *value)
{
    memcpy(out, &value->as.integer, size);
    return integer_fits(
        value, (unsigned)size * 8, dtype >= SNAKEPIT_INT8 && dtype <= SNAKEPIT_INT64);
}

// An element of a fixed size, in the machine's order, which is little-endian. Returns
// where the next one goes; NULL: it does not fit.
static uint8_t *
put_element(uint8_t *out, snakepit_dtype dtype, const snakepit_value *value)
{
    const size_t size = snakepit_dtype_size(dtype);
    bool fits = false;
    switch (dtype) {
    case SNAKEPIT_BOOL:
        fits = value->kind == SNAKEPIT_BOOLEAN;
        *out = fits && value->as.boolean;
        break;
    case SNAKEPIT_FLOAT32:
    case SNAKEPIT_FLOAT64:
        fits = put_real(out, dtype, value);
        break;
    default:
        fits = put_integer(out, dtype, size, value);
        break;
    }
    return fits ? out + size : NULL;
}

static snakepit_err refuse_element(const struct reading *reading,
                                   const struct sp_inference_tensor *input,
                                   uint64_t index)
{
    return sp_inference_refuse(reading->why,
                               "input",
                               input->name,
                               "element %" PRIu64 " of its data is not one of %s",
                               index,
                               sp_inference_datatype_name(input->dtype));
}

// One of BYTES, behind its length.
static uint8_t *put_bytes(uint8_t *out, const snakepit_value *value)
{
    if (value->kind != SNAKEPIT_TEXT && value->kind != SNAKEPIT_BYTES) {
        return NULL;
    }
    out = put_length(out, value->as.text.size);
    memcpy(out, value->as.text.data, value->as.text.size);
    return out + value->as.text.size;
}

static snakepit_err fill(const struct reading *reading,
                         snakepit_reader at,
                         struct sp_inference_tensor *input,
                         uint8_t *out)
{
    uint64_t pending = 1;
    uint64_t index = 0;
    snakepit_value value;
    for (; next_scalar(&at, &pending, &value); index++) {
        out = input->dtype == SP_INFERENCE_BYTES
                  ? put_bytes(out, &value)
                  : put_element(out, (snakepit_dtype)input->dtype, &value);
        if (out == NULL) {
            return refuse_element(reading, input, index);
        }
    }
    return pending == 0 ? SNAKEPIT_OK : refuse_element(reading, input, index);
}

static snakepit_err read_elements(const struct reading *reading,
                                  const snakepit_reader *data,
                                  struct sp_inference_tensor *input)
{
    const struct counted counted = count_scalars(*data);
    const size_t size = snakepit_dtype_size((snakepit_dtype)input->dtype);
    const bool half =
        input->dtype == SNAKEPIT_FLOAT16 || input->dtype == SNAKEPIT_BFLOAT16;
    if (half) {
        return sp_inference_refuse(reading->why,
                                   "input",
                                   input->name,
                                   "%s has no form in JSON; send it as binary data",
                                   sp_inference_datatype_name(input->dtype));
    }
    const size_t bytes = input->dtype == SP_INFERENCE_BYTES
                             ? counted.bytes
                             : (size_t)counted.elements * size;
    uint8_t *out = sp_writer_own(reading->request->args, bytes + 1);
    if (out == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    input->data = (struct sp_slice){out, bytes};
    return fill(reading, *data, input, out);
}

// ---- Inputs -----------------------------------------------------------------------

static snakepit_err read_shape(const struct reading *reading,
                               const snakepit_reader *map,
                               struct sp_inference_tensor *input)
{
    snakepit_reader at;
    snakepit_value value;
    int64_t shape[SNAKEPIT_MAX_RANK] = {0};
    if (!find(map, "shape", SNAKEPIT_ARRAY, &at, &value)) {
        return sp_inference_refuse(
            reading->why, "input", input->name, "it has no shape, a list of numbers");
    }
    const uint32_t rank = value.as.count;
    for (uint32_t i = 0; i < rank && i < SNAKEPIT_MAX_RANK; i++) {
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_INTEGER) {
            return sp_inference_refuse(
                reading->why, "input", input->name, "shape[%u] is not an integer", i);
        }
        shape[i] = value.as.integer;
    }
    return sp_inference_set_shape(input, shape, rank, reading->why);
}

static snakepit_err read_datatype(const struct reading *reading,
                                  const snakepit_reader *map,
                                  struct sp_inference_tensor *input)
{
    snakepit_reader at;
    snakepit_value value;
    if (find(map, "datatype", SNAKEPIT_TEXT, &at, &value)) {
        input->dtype = sp_inference_datatype_of(slice_of(&value));
    }
    return input->dtype != 0
               ? SNAKEPIT_OK
               : sp_inference_refuse(reading->why,
                                     "input",
                                     input->name,
                                     "its datatype is not one of the protocol's, such "
                                     "as FP32, INT64 and BYTES");
}

// Takes the next bytes behind the head.
static snakepit_err take_binary(struct reading *reading,
                                const snakepit_value *size,
                                struct sp_inference_tensor *input)
{
    if (size->kind != SNAKEPIT_INTEGER || size->as.integer < 0 ||
        (uint64_t)size->as.integer > reading->binary.size) {
        return sp_inference_refuse(reading->why,
                                   "input",
                                   input->name,
                                   "binary_data_size is not a number of bytes that "
                                   "came behind the JSON");
    }
    const size_t taken = (size_t)size->as.integer;
    input->data = (struct sp_slice){reading->binary.data, taken};
    reading->binary.data += taken;
    reading->binary.size -= taken;
    return SNAKEPIT_OK;
}

// Calls `take` with each pair of the map that is under "parameters".
typedef snakepit_err take_fn(struct reading *reading,
                             void *of,
                             struct sp_slice name,
                             const snakepit_value *value);

static snakepit_err read_parameters(struct reading *reading,
                                    const snakepit_reader *map,
                                    take_fn *take,
                                    void *of)
{
    snakepit_reader at;
    snakepit_value pairs;
    snakepit_value key;
    snakepit_value value;
    snakepit_err err = SNAKEPIT_OK;
    if (snakepit_reader_find(map, "parameters", &at) != SNAKEPIT_OK) {
        return SNAKEPIT_OK;
    }
    if (snakepit_reader_next(&at, &pairs) != SNAKEPIT_OK ||
        pairs.kind != SNAKEPIT_MAP) {
        return refuse(reading, "\"parameters\" is not an object");
    }
    for (uint32_t i = 0; err == SNAKEPIT_OK && i < pairs.as.count; i++) {
        if (snakepit_reader_next(&at, &key) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
        snakepit_reader peek = at;
        if (snakepit_reader_next(&peek, &value) != SNAKEPIT_OK ||
            snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
        err = take(reading, of, slice_of(&key), &value);
    }
    return err;
}

struct input_parameters {
    struct sp_inference_tensor *input;
    bool binary; // its data is
};

static snakepit_err take_of_input(struct reading *reading,
                                  void *of,
                                  struct sp_slice name,
                                  const snakepit_value *value)
{
    struct input_parameters *parameters = of;
    if (sp_inference_is_text(name, "binary_data_size")) {
        parameters->binary = true;
        return take_binary(reading, value, parameters->input);
    }
    return sp_inference_take_tensor_parameter(
        "input", parameters->input->name, name, reading->why);
}

static snakepit_err read_input(struct reading *reading,
                               const snakepit_reader *map,
                               struct sp_inference_tensor *input)
{
    snakepit_reader at;
    snakepit_value value;
    struct input_parameters parameters = {.input = input};
    if (find(map, "name", SNAKEPIT_TEXT, &at, &value)) {
        input->name = slice_of(&value);
    }
    snakepit_err err = read_datatype(reading, map, input);
    err = err == SNAKEPIT_OK ? read_shape(reading, map, input) : err;
    err = err == SNAKEPIT_OK ? read_parameters(reading, map, take_of_input, &parameters)
                             : err;
    if (err != SNAKEPIT_OK || parameters.binary) {
        return err;
    }
    if (snakepit_reader_find(map, "data", &at) != SNAKEPIT_OK) {
        return sp_inference_refuse(reading->why,
                                   "input",
                                   input->name,
                                   "it has neither data nor binary_data_size");
    }
    return read_elements(reading, &at, input);
}

// ---- Outputs ----------------------------------------------------------------------

static snakepit_err take_of_output(struct reading *reading,
                                   void *of,
                                   struct sp_slice name,
                                   const snakepit_value *value)
{
    struct sp_inference_wish *wish = of;
    if (!sp_inference_is_text(name, "binary_data")) {
        return sp_inference_take_tensor_parameter(
            "output", wish->name, name, reading->why);
    }
    if (value->kind != SNAKEPIT_BOOLEAN) {
        return sp_inference_refuse(
            reading->why, "output", wish->name, "binary_data is not true or false");
    }
    wish->form = value->as.boolean ? SP_INFERENCE_BINARY : SP_INFERENCE_JSON;
    return SNAKEPIT_OK;
}

static snakepit_err read_output(struct reading *reading,
                                const snakepit_reader *map,
                                struct sp_inference_wish *wish)
{
    snakepit_reader at;
    snakepit_value value;
    if (!find(map, "name", SNAKEPIT_TEXT, &at, &value)) {
        return refuse(reading, "one of the outputs has no name");
    }
    wish->name = slice_of(&value);
    return read_parameters(reading, map, take_of_output, wish);
}

// ---- The head ---------------------------------------------------------------------

// How many objects there are in the list under `key`; `at` is before the first.
static snakepit_err find_list(const struct reading *reading,
                              const snakepit_reader *map,
                              const char *key,
                              snakepit_reader *at,
                              size_t *count)
{
    snakepit_value value;
    *count = 0;
    if (snakepit_reader_find(map, key, at) != SNAKEPIT_OK) {
        return SNAKEPIT_OK;
    }
    if (snakepit_reader_next(at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return refuse(reading, "\"inputs\" and \"outputs\" are lists of objects");
    }
    *count = value.as.count;
    return SNAKEPIT_OK;
}

static bool is_map(snakepit_reader at)
{
    snakepit_value value;
    return snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_MAP;
}

static snakepit_err read_lists(struct reading *reading, const snakepit_reader *map)
{
    snakepit_reader inputs = *map;
    snakepit_reader outputs = *map;
    struct sp_inference_request *request = reading->request;
    snakepit_err err =
        find_list(reading, map, "inputs", &inputs, &request->input_count);
    err = err == SNAKEPIT_OK
              ? find_list(reading, map, "outputs", &outputs, &request->output_count)
              : err;
    err = err == SNAKEPIT_OK
              ? sp_inference_request_begin(
                    request, request->input_count, request->output_count, reading->why)
              : err;
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->input_count; i++) {
        err = is_map(inputs)
                  ? read_input(reading, &inputs, &request->inputs[i])
                  : refuse(reading, "\"inputs\" and \"outputs\" are lists of objects");
        err = err == SNAKEPIT_OK ? snakepit_reader_skip(&inputs) : err;
    }
    for (size_t i = 0; err == SNAKEPIT_OK && i < request->output_count; i++) {
        err = is_map(outputs)
                  ? read_output(reading, &outputs, &request->outputs[i])
                  : refuse(reading, "\"inputs\" and \"outputs\" are lists of objects");
        err = err == SNAKEPIT_OK ? snakepit_reader_skip(&outputs) : err;
    }
    return err;
}

static snakepit_err take_of_request(struct reading *reading,
                                    void *of,
                                    struct sp_slice name,
                                    const snakepit_value *value)
{
    return sp_inference_take_parameter(of, name, value, reading->why);
}

static snakepit_err read_head(struct reading *reading, const snakepit_reader *map)
{
    snakepit_reader at;
    snakepit_value value;
    struct sp_inference_request *request = reading->request;
    if (!is_map(*map)) {
        return refuse(reading, "the body is not a JSON object");
    }
    if (snakepit_reader_find(map, "id", &at) == SNAKEPIT_OK) {
        if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
            value.kind != SNAKEPIT_TEXT) {
            return refuse(reading, "\"id\" is not a text");
        }
        request->id = slice_of(&value);
    }
    snakepit_err err = read_parameters(reading, map, take_of_request, request);
    return err == SNAKEPIT_OK ? read_lists(reading, map) : err;
}

static snakepit_err
parse(const struct reading *reading, struct sp_slice text, uint64_t most_values)
{
    const struct sp_body body = {
        .bytes = text, .media = SP_MEDIA_JSON, .most_values = most_values};
    reading->request->head = snakepit_writer_new();
    return reading->request->head == NULL
               ? SNAKEPIT_NO_MEMORY
               : sp_body_read(&body, reading->request->head, reading->why);
}

snakepit_err sp_inference_read_json(struct sp_inference_request *request,
                                    struct sp_slice body,
                                    size_t head,
                                    uint64_t most_values,
                                    snakepit_message *why)
{
    snakepit_reader map;
    struct reading reading = {.request = request, .why = why};
    if (head > body.size) {
        return refuse(&reading,
                      "Inference-Header-Content-Length is more than the body has");
    }
    snakepit_err err = parse(&reading, (struct sp_slice){body.data, head}, most_values);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    reading.binary = (struct sp_slice){body.data + head, body.size - head};
    snakepit_reader_init(&map, request->head->buf.data, request->head->buf.size);
    err = read_head(&reading, &map);
    if (err == SNAKEPIT_OK && reading.binary.size > 0) {
        err = refuse(&reading,
                     "there are bytes behind the JSON that no input's "
                     "binary_data_size takes");
    }
    return err == SNAKEPIT_OK ? sp_inference_request_check(request, why) : err;
}
