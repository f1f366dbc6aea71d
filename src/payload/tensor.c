// SPDX-License-Identifier: MIT
// The table of dtypes, and copies of strided arrays. Inner dimensions that are packed
// already are merged into one run of bytes before anything moves, so that a sliced
// matrix is copied row by row and a packed one at once.
#include "payload/tensor.h"

#include <stdio.h>
#include <string.h>

// How a tensor is walked: `rank` dimensions, the outermost first, of runs of `run`
// bytes.
struct walk {
    uint32_t rank;
    size_t run;
    int64_t shape[SNAKEPIT_MAX_RANK];
    int64_t strides[SNAKEPIT_MAX_RANK];
};

struct dtype {
    const char *name;
    size_t size;
};

// By the number on the wire; gaps are all zero.
#define DTYPE_ROW(name, number, size, numpy) [number] = {numpy, size},
static const struct dtype dtypes[] = {SNAKEPIT_DTYPES(DTYPE_ROW)};
#undef DTYPE_ROW

#define DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))

size_t snakepit_dtype_size(snakepit_dtype dtype)
{
    size_t number = (size_t)dtype;
    return number < DTYPES ? dtypes[number].size : 0;
}

const char *snakepit_dtype_name(snakepit_dtype dtype)
{
    size_t number = (size_t)dtype;
    return number < DTYPES ? dtypes[number].name : NULL;
}

int sp_dtype_of(const char *name)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (dtypes[i].name != NULL && strcmp(dtypes[i].name, name) == 0) {
            return (int)i;
        }
    }
    return 0;
}

snakepit_err snakepit_tensor_bytes(const snakepit_tensor *tensor, size_t *bytes)
{
    if (tensor == NULL || bytes == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    size_t size = snakepit_dtype_size(tensor->dtype);
    bool empty = false;
    if (size == 0 || tensor->rank > SNAKEPIT_MAX_RANK) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t extent = tensor->shape[i];
        empty = empty || extent == 0;
        // An empty dimension does not excuse the others: strides are made from their
        // product.
        if (extent < 0 ||
            __builtin_mul_overflow(size, extent != 0 ? extent : 1, &size)) {
            return SNAKEPIT_INVALID_ARGUMENT;
        }
    }
    if (size > PTRDIFF_MAX) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    *bytes = empty ? 0 : size;
    return SNAKEPIT_OK;
}

snakepit_err sp_tensor_check(const snakepit_tensor *tensor, size_t *bytes)
{
    size_t size = 0;
    if (tensor == NULL || snakepit_tensor_bytes(tensor, &size) != SNAKEPIT_OK ||
        (tensor->data == NULL && size != 0)) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    *bytes = size;
    return SNAKEPIT_OK;
}

// The first extent that is negative, or `rank`.
static uint32_t negative_extent(const snakepit_tensor *tensor)
{
    uint32_t i = 0;
    while (i < tensor->rank && tensor->shape[i] >= 0) {
        i++;
    }
    return i;
}

static void explain_shape(const snakepit_tensor *tensor, char *text, size_t size)
{
    uint32_t i = negative_extent(tensor);
    if (i < tensor->rank) {
        (void)snprintf(text,
                       size,
                       "shape[%u] of the tensor is %lld; give a number of elements, 0 "
                       "or more",
                       i,
                       (long long)tensor->shape[i]);
    } else {
        (void)snprintf(text,
                       size,
                       "the tensor's shape needs more bytes than memory can have; "
                       "check its extents");
    }
}

void sp_tensor_explain(const snakepit_tensor *tensor, char *text, size_t size)
{
    size_t bytes = 0;
    if (tensor == NULL) {
        (void)snprintf(text, size, "the tensor is NULL; give its address");
    } else if (snakepit_dtype_size(tensor->dtype) == 0) {
        (void)snprintf(text,
                       size,
                       "the tensor's dtype %d is unknown; set it to one of enum "
                       "snakepit_dtype, such as SNAKEPIT_FLOAT64",
                       (int)tensor->dtype);
    } else if (tensor->rank > SNAKEPIT_MAX_RANK) {
        (void)snprintf(text,
                       size,
                       "the tensor has %u dimensions and may have %d; reshape it",
                       tensor->rank,
                       SNAKEPIT_MAX_RANK);
    } else if (snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK) {
        explain_shape(tensor, text, size);
    } else {
        (void)snprintf(text,
                       size,
                       "the tensor's data is NULL but its shape needs %zu bytes; point "
                       "data to the elements",
                       bytes);
    }
}

void sp_tensor_set_packed(snakepit_tensor *tensor)
{
    int64_t stride = (int64_t)snakepit_dtype_size(tensor->dtype);
    for (uint32_t i = tensor->rank; i > 0; i--) {
        int64_t extent = tensor->shape[i - 1];
        tensor->strides[i - 1] = stride;
        stride *= extent != 0 ? extent : 1;
    }
}

static bool says_packed(const snakepit_tensor *tensor)
{
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->strides[i] != 0) {
            return false;
        }
    }
    return true;
}

// Merges the inner dimensions that follow each other without a gap.
static struct walk walk_of(const snakepit_tensor *tensor)
{
    struct walk walk = {.rank = tensor->rank,
                        .run = snakepit_dtype_size(tensor->dtype)};
    memcpy(walk.shape, tensor->shape, sizeof(walk.shape));
    memcpy(walk.strides, tensor->strides, sizeof(walk.strides));
    for (; walk.rank > 0; walk.rank--) {
        int64_t extent = walk.shape[walk.rank - 1];
        if (extent != 1 && walk.strides[walk.rank - 1] != (int64_t)walk.run) {
            break;
        }
        walk.run *= (size_t)extent;
    }
    return walk;
}

// Copies `count` runs that lie `stride` bytes apart. A constant size makes memcpy one
// instruction.
static uint8_t *
copy_runs(uint8_t *out, const uint8_t *in, int64_t count, int64_t stride, size_t run)
{
#define COPY(bytes)                                       \
    for (int64_t i = 0; i < count; i++, out += (bytes)) { \
        memcpy(out, in + i * stride, (bytes));            \
    }                                                     \
    return out;
    switch (run) {
    case 1:
        COPY(1)
    case 2:
        COPY(2)
    case 4:
        COPY(4)
    case 8:
        COPY(8)
    case 16:
        COPY(16)
    default:
        COPY(run)
    }
#undef COPY
}

// Moves to the next index of the dimensions outside the innermost one; false after the
// last.
static bool advance(const struct walk *walk, int64_t *index, const uint8_t **in)
{
    for (uint32_t i = walk->rank - 1; i > 0; i--) {
        *in += walk->strides[i - 1];
        if (++index[i - 1] < walk->shape[i - 1]) {
            return true;
        }
        *in -= walk->shape[i - 1] * walk->strides[i - 1];
        index[i - 1] = 0;
    }
    return false;
}

void sp_tensor_pack(const snakepit_tensor *tensor, void *out)
{
    size_t bytes = 0;
    if (snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK || bytes == 0) {
        return;
    }
    struct walk walk = {0};
    if (!says_packed(tensor)) {
        walk = walk_of(tensor);
    }
    if (walk.rank == 0) {
        memcpy(out, tensor->data, bytes);
        return;
    }
    int64_t index[SNAKEPIT_MAX_RANK] = {0};
    const uint8_t *in = tensor->data;
    uint8_t *at = out;
    uint32_t inner = walk.rank - 1;
    do {
        at = copy_runs(at, in, walk.shape[inner], walk.strides[inner], walk.run);
    } while (advance(&walk, index, &in));
}
