// SPDX-License-Identifier: MIT
// How a Tensor is made, and the memory that it lies in. What keeps that memory is
// counted in C, so a Tensor refers to no Python object but its type.
#include "tensor.h"

#include <string.h>

#include "base/memory.h"
#include "codec.h"
#include "codec_compat.h"

int sp_tensor_measure(struct sp_tensor_head *head)
{
    uint64_t bytes = head->dtype->size;
    bool empty = false;
    for (int i = 0; i < head->rank; i++) {
        Py_ssize_t extent = head->shape[i];
        empty = empty || extent == 0;
        uint64_t factor = extent == 0 ? 1 : (uint64_t)extent;
        if (extent < 0 || __builtin_mul_overflow(bytes, factor, &bytes) ||
            bytes > (uint64_t)PY_SSIZE_T_MAX) {
            return -1;
        }
    }
    head->bytes = empty ? 0 : bytes;
    return 0;
}

// ---- Blocks -------------------------------------------------------------------

struct sp_block *sp_block_new(struct sp_runtime *runtime, uint64_t bytes)
{
    // Not sp_alloc(): calloc() takes nothing of what the thread has freed before.
    struct sp_block *block = sp_realloc(NULL, sizeof(*block));
    if (block == NULL) {
        return NULL;
    }
    if (sp_runtime_alloc(runtime, bytes, &block->offset) != SNAKEPIT_OK) {
        sp_free(block);
        return NULL;
    }
    atomic_init(&block->refs, 1);
    block->runtime = runtime;
    block->bytes = bytes;
    return block;
}

// ---- Copies -------------------------------------------------------------------

struct sp_copy *sp_copy_new(const uint8_t *data, uint64_t bytes)
{
    struct sp_copy *copy = sp_alloc(sizeof(*copy) + bytes + SP_LINE);
    if (copy == NULL) {
        return NULL;
    }
    uint8_t *room = (uint8_t *)(copy + 1);
    atomic_init(&copy->refs, 1);
    copy->data = room + (SP_LINE - (uintptr_t)room % SP_LINE) % SP_LINE;
    sp_copy(copy->data, data, bytes);
    return copy;
}

void sp_copy_ref(struct sp_copy *copy)
{
    atomic_fetch_add_explicit(&copy->refs, 1, memory_order_relaxed);
}

void sp_copy_unref(struct sp_copy *copy)
{
    // [copy:refs] as with blocks.
    if (atomic_fetch_sub_explicit(&copy->refs, 1, memory_order_acq_rel) == 1) {
        sp_free(copy);
    }
}

// ---- Tensors ------------------------------------------------------------------

static struct sp_tensor *tensor_new(PyTypeObject *type,
                                    const struct sp_tensor_head *head)
{
    struct sp_tensor *tensor = (struct sp_tensor *)type->tp_alloc(type, 0);
    if (tensor == NULL) {
        return NULL;
    }
    tensor->dtype = head->dtype;
    tensor->bytes = head->bytes;
    tensor->rank = head->rank;
    Py_ssize_t stride = (Py_ssize_t)head->dtype->size;
    for (int i = head->rank - 1; i >= 0; i--) {
        tensor->shape[i] = head->shape[i];
        tensor->strides[i] = stride;
        stride *= head->shape[i] == 0 ? 1 : head->shape[i];
    }
    return tensor;
}

PyObject *sp_tensor_view(struct sp_codec *codec,
                         const struct sp_tensor_head *head,
                         const uint8_t *data,
                         struct sp_lease *lease)
{
    struct sp_tensor *tensor = tensor_new(codec->tensor_type, head);
    if (tensor == NULL) {
        return NULL;
    }
    sp_lease_ref(lease);
    tensor->lease = lease;
    tensor->data = (uint8_t *)data;
    tensor->readonly = true;
    return (PyObject *)tensor;
}

PyObject *sp_tensor_copy(struct sp_codec *codec,
                         const struct sp_tensor_head *head,
                         const uint8_t *data)
{
    struct sp_tensor *tensor = tensor_new(codec->tensor_type, head);
    if (tensor == NULL) {
        return NULL;
    }
    tensor->copy = sp_copy_new(data, head->bytes);
    if (tensor->copy == NULL) {
        Py_DECREF(tensor);
        return PyErr_NoMemory();
    }
    tensor->data = tensor->copy->data;
    return (PyObject *)tensor;
}

PyObject *sp_tensor_part(struct sp_tensor *whole,
                         const struct sp_tensor_head *head,
                         const uint8_t *data)
{
    struct sp_tensor *part = tensor_new(Py_TYPE(whole), head);
    if (part == NULL) {
        return NULL;
    }
    if (whole->lease != NULL) {
        sp_lease_ref(whole->lease);
    }
    if (whole->block != NULL) {
        sp_block_ref(whole->block);
    }
    if (whole->copy != NULL) {
        sp_copy_ref(whole->copy);
    }
    part->lease = whole->lease;
    part->block = whole->block;
    part->copy = whole->copy;
    part->data = (uint8_t *)data;
    part->readonly = whole->readonly;
    return (PyObject *)part;
}

// ---- empty() ------------------------------------------------------------------

static int add_extent(struct sp_tensor_head *head, PyObject *extent)
{
    if (head->rank == SNAKEPIT_MAX_RANK) {
        PyErr_Format(
            PyExc_ValueError, "a tensor has at most %d dimensions", SNAKEPIT_MAX_RANK);
        return -1;
    }
    Py_ssize_t value = PyNumber_AsSsize_t(extent, PyExc_ValueError);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    head->shape[head->rank++] = value;
    return 0;
}

static int parse_shape(struct sp_tensor_head *head, PyObject *shape)
{
    if (PyIndex_Check(shape)) {
        return add_extent(head, shape);
    }
    PyObject *extents = PySequence_Tuple(shape);
    if (extents == NULL) {
        return -1;
    }
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyTuple_GET_SIZE(extents); i++) {
        result = add_extent(head, PyTuple_GET_ITEM(extents, i));
    }
    Py_DECREF(extents);
    return result;
}

// A name for `dtype`: itself, its `name` (numpy.dtype), its `__name__` (numpy.float32,
// float) or its str() (torch.float32).
static PyObject *name_of_dtype(PyObject *dtype)
{
    if (PyUnicode_Check(dtype)) {
        return Py_NewRef(dtype);
    }
    PyObject *name =
        PyObject_GetAttrString(dtype, PyType_Check(dtype) ? "__name__" : "name");
    if (name != NULL && PyUnicode_Check(name)) {
        return name;
    }
    Py_XDECREF(name);
    return sp_forgive() != 0 ? NULL : PyObject_Str(dtype);
}

static int parse_dtype(struct sp_tensor_head *head, PyObject *dtype)
{
    PyObject *name = name_of_dtype(dtype);
    const char *text = name == NULL ? NULL : PyUnicode_AsUTF8(name);
    if (text == NULL) {
        Py_XDECREF(name);
        return -1;
    }
    const char *dot = strrchr(text, '.');
    head->dtype = sp_dtype_of_name(dot == NULL ? text : dot + 1);
    if (head->dtype == NULL) {
        PyErr_Format(PyExc_ValueError,
                     "a tensor cannot have the dtype %.100R; it can have %s, or the "
                     "short name of one, such as 'f4'",
                     name,
                     sp_dtype_names());
    }
    Py_DECREF(name);
    return head->dtype == NULL ? -1 : 0;
}

static int parse_head(struct sp_tensor_head *head, PyObject *shape, PyObject *dtype)
{
    head->dtype = sp_dtype_of_number(SNAKEPIT_FLOAT32);
    if ((dtype != NULL && parse_dtype(head, dtype) != 0) ||
        parse_shape(head, shape) != 0) {
        return -1;
    }
    if (sp_tensor_measure(head) != 0) {
        PyErr_Format(PyExc_ValueError, "there is no tensor of the shape %.200R", shape);
        return -1;
    }
    return 0;
}

PyObject *sp_tensor_empty(struct sp_codec *codec, PyObject *shape, PyObject *dtype)
{
    struct sp_tensor_head head = {0};
    if (codec->runtime == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "empty() works in a Snakepit worker only");
        return NULL;
    }
    if (parse_head(&head, shape, dtype) != 0) {
        return NULL;
    }
    struct sp_tensor *tensor = tensor_new(codec->tensor_type, &head);
    if (tensor == NULL) {
        return NULL;
    }
    uint64_t unused;
    tensor->data = sp_runtime_results(codec->runtime, &unused);
    if (head.bytes == 0) {
        return (PyObject *)tensor;
    }
    tensor->block = sp_block_new(codec->runtime, head.bytes);
    if (tensor->block == NULL) {
        Py_DECREF(tensor);
        PyErr_Format(PyExc_MemoryError,
                     "no shared memory for a tensor of %llu bytes: drop arrays that "
                     "are not needed any more, or raise the pool's shared_memory_size",
                     (unsigned long long)head.bytes);
        return NULL;
    }
    tensor->data += tensor->block->offset;
    return (PyObject *)tensor;
}
