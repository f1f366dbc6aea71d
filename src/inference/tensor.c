// SPDX-License-Identifier: MIT
#include "inference/tensor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN      64 // bytes of a name in a sentence
#define SHAPE_SIZE 200u

struct datatype {
    const char *name;
    int dtype;
};

#define SP_DATATYPE(name, dtype) {#name, dtype},
static const struct datatype datatypes[] = {
#include "inference/datatypes.def"
};
#undef SP_DATATYPE

#define DATATYPES (sizeof datatypes / sizeof datatypes[0])

const char *sp_inference_datatype_name(int dtype)
{
    for (size_t i = 0; i < DATATYPES; i++) {
        if (datatypes[i].dtype == dtype) {
            return datatypes[i].name;
        }
    }
    return NULL;
}

int sp_inference_datatype_of(struct sp_slice name)
{
    for (size_t i = 0; i < DATATYPES; i++) {
        if (strlen(datatypes[i].name) == name.size && name.size > 0 &&
            memcmp(datatypes[i].name, name.data, name.size) == 0) {
            return datatypes[i].dtype;
        }
    }
    return 0;
}

snakepit_err sp_inference_refuse(snakepit_message *why,
                                 const char *kind,
                                 struct sp_slice name,
                                 const char *format,
                                 ...)
{
    va_list arguments;
    const int used = snprintf(why->text,
                              sizeof why->text,
                              "%s \"%.*s\": ",
                              kind,
                              (int)(name.size < SHOWN ? name.size : SHOWN),
                              name.size == 0 ? "" : (const char *)name.data);
    va_start(arguments, format);
    (void)vsnprintf(
        why->text + used, sizeof why->text - (size_t)used, format, arguments);
    va_end(arguments);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// ---- Shapes ---------------------------------------------------------------------

snakepit_err sp_inference_set_shape(struct sp_inference_tensor *tensor,
                                    const int64_t *shape,
                                    size_t rank,
                                    snakepit_message *why)
{
    if (rank > SNAKEPIT_MAX_RANK) {
        return sp_inference_refuse(why,
                                   "input",
                                   tensor->name,
                                   "it has %zu dimensions and may have %d",
                                   rank,
                                   SNAKEPIT_MAX_RANK);
    }
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] < 0) {
            return sp_inference_refuse(why,
                                       "input",
                                       tensor->name,
                                       "shape[%zu] is %" PRId64
                                       "; give a number of elements, 0 or more",
                                       i,
                                       shape[i]);
        }
        tensor->shape[i] = shape[i];
    }
    tensor->rank = (uint32_t)rank;
    return SNAKEPIT_OK;
}

// As the library counts, of elements that have so many bytes.
static snakepit_err
count_bytes(const struct sp_inference_tensor *tensor, int dtype, size_t *bytes)
{
    snakepit_tensor counted = {.dtype = (snakepit_dtype)dtype, .rank = tensor->rank};
    memcpy(counted.shape, tensor->shape, sizeof counted.shape);
    return snakepit_tensor_bytes(&counted, bytes);
}

snakepit_err sp_inference_elements(const struct sp_inference_tensor *tensor,
                                   uint64_t *elements)
{
    size_t bytes = 0;
    snakepit_err err = count_bytes(tensor, SNAKEPIT_UINT8, &bytes);
    *elements = bytes;
    return err;
}

static const char *write_shape(const struct sp_inference_tensor *tensor,
                               char room[SHAPE_SIZE])
{
    size_t used = (size_t)snprintf(room, SHAPE_SIZE, "[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        used += (size_t)snprintf(room + used,
                                 SHAPE_SIZE - used,
                                 i == 0 ? "%" PRId64 : ", %" PRId64,
                                 tensor->shape[i]);
    }
    (void)snprintf(room + used, SHAPE_SIZE - used, "]");
    return room;
}

// ---- Elements of any length -------------------------------------------------------

bool sp_inference_next_element(struct sp_slice *data, struct sp_slice *element)
{
    if (data->size < SP_INFERENCE_LENGTH_SIZE) {
        return false;
    }
    const uint8_t *at = data->data;
    const size_t size =
        (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (size > data->size - SP_INFERENCE_LENGTH_SIZE) {
        return false;
    }
    *element = (struct sp_slice){at + SP_INFERENCE_LENGTH_SIZE, size};
    data->data += SP_INFERENCE_LENGTH_SIZE + size;
    data->size -= SP_INFERENCE_LENGTH_SIZE + size;
    return true;
}

static snakepit_err check_elements(const struct sp_inference_tensor *tensor,
                                   uint64_t wanted,
                                   snakepit_message *why)
{
    char shape[SHAPE_SIZE];
    uint64_t count = 0;
    struct sp_slice element;
    struct sp_slice left = tensor->data;
    while (sp_inference_next_element(&left, &element)) {
        count++;
    }
    if (left.size > 0) {
        return sp_inference_refuse(why,
                                   "input",
                                   tensor->name,
                                   "element %" PRIu64
                                   " of BYTES is longer than what came; each has its "
                                   "length in four bytes before it",
                                   count);
    }
    return count == wanted ? SNAKEPIT_OK
                           : sp_inference_refuse(why,
                                                 "input",
                                                 tensor->name,
                                                 "its shape %s needs %" PRIu64
                                                 " elements, and %" PRIu64 " came",
                                                 write_shape(tensor, shape),
                                                 wanted,
                                                 count);
}

// ---- Whole ----------------------------------------------------------------------

snakepit_err sp_inference_check(const struct sp_inference_tensor *tensor,
                                snakepit_message *why)
{
    size_t bytes = 0;
    char shape[SHAPE_SIZE];
    const bool any_length = tensor->dtype == SP_INFERENCE_BYTES;
    if (count_bytes(tensor, any_length ? SNAKEPIT_UINT8 : tensor->dtype, &bytes) !=
        SNAKEPIT_OK) {
        return sp_inference_refuse(why,
                                   "input",
                                   tensor->name,
                                   "its shape %s needs more bytes than memory can have",
                                   write_shape(tensor, shape));
    }
    if (any_length) {
        return check_elements(tensor, bytes, why);
    }
    return bytes == tensor->data.size
               ? SNAKEPIT_OK
               : sp_inference_refuse(why,
                                     "input",
                                     tensor->name,
                                     "its shape %s of %s needs %zu bytes, and %zu came",
                                     write_shape(tensor, shape),
                                     sp_inference_datatype_name(tensor->dtype),
                                     bytes,
                                     tensor->data.size);
}
