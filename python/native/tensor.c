// SPDX-License-Identifier: MIT
// Python reads a tensor through the buffer protocol (numpy.asarray(), memoryview(),
// torch.frombuffer()) or DLPack (codec_dlpack.c), which see the shared memory itself.
// What keeps that memory is counted in C, so a Tensor refers to no Python object but
// its type.
#include "tensor.h"

#include <string.h>

#include "base/memory.h"
#include "codec.h"
#include "codec_compat.h"
#include "tensor_items.h"

#define DETACH_FROM (UINT64_C(1) << 20) // bytes; shorter copies stay attached

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
    struct sp_block *block = sp_alloc(sizeof(*block));
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

void sp_block_ref(struct sp_block *block)
{
    atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}

void sp_block_unref(struct sp_block *block)
{
    // [block:refs] every use of the block is over before it is handed out again; each
    // release pairs with the acquire of the last.
    if (atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1) {
        sp_runtime_free(block->runtime, block->offset, block->bytes);
        sp_free(block);
    }
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
    if (bytes < DETACH_FROM) {
        memcpy(copy->data, data, bytes);
        return copy;
    }
    Py_BEGIN_ALLOW_THREADS;
    memcpy(copy->data, data, bytes);
    Py_END_ALLOW_THREADS;
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

// ---- Life of a Tensor ---------------------------------------------------------

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

static void tensor_dealloc(PyObject *self)
{
    struct sp_tensor *tensor = (struct sp_tensor *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (tensor->lease != NULL) {
        sp_lease_unref(tensor->lease);
    }
    if (tensor->block != NULL) {
        sp_block_unref(tensor->block);
    }
    if (tensor->copy != NULL) {
        sp_copy_unref(tensor->copy);
    }
    type->tp_free(self);
    Py_DECREF(type);
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

// ---- The buffer protocol ------------------------------------------------------

static int tensor_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    struct sp_tensor *tensor = (struct sp_tensor *)self;
    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) != 0 && tensor->readonly) {
        PyErr_SetString(PyExc_BufferError,
                        "an argument's tensor is read-only; copy it first");
        return -1;
    }
    if ((flags & PyBUF_FORMAT) == PyBUF_FORMAT && tensor->dtype->format == NULL) {
        PyErr_Format(PyExc_BufferError,
                     "Python's buffers have no format for %s; use numpy.asarray() with "
                     "ml_dtypes installed, or DLPack",
                     tensor->dtype->name);
        return -1;
    }
    *view = (Py_buffer){
        .buf = tensor->data,
        .len = (Py_ssize_t)tensor->bytes,
        .itemsize = (Py_ssize_t)tensor->dtype->size,
        .readonly = tensor->readonly,
        .ndim = tensor->rank,
        .shape = tensor->shape,
        .strides = tensor->strides,
    };
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS &&
        !PyBuffer_IsContiguous(view, 'F')) {
        PyErr_SetString(PyExc_BufferError, "a tensor is packed in C order");
        return -1;
    }
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        view->strides = NULL;
    }
    if ((flags & PyBUF_ND) != PyBUF_ND) {
        view->shape = NULL;
        view->ndim = 1;
    }
    if ((flags & PyBUF_FORMAT) == PyBUF_FORMAT) {
        view->format = (char *)tensor->dtype->format;
    }
    view->obj = Py_NewRef(self);
    return 0;
}

// ---- What Python sees ---------------------------------------------------------

static int fill_shape(PyObject *shape, const struct sp_tensor *tensor)
{
    for (int i = 0; i < tensor->rank; i++) {
        PyObject *extent = PyLong_FromSsize_t(tensor->shape[i]);
        if (extent == NULL) {
            return -1;
        }
        PyTuple_SET_ITEM(shape, i, extent);
    }
    return 0;
}

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    PyObject *shape = PyTuple_New(tensor->rank);
    if (shape == NULL || fill_shape(shape, tensor) != 0) {
        Py_XDECREF(shape);
        return NULL;
    }
    return shape;
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(((struct sp_tensor *)self)->dtype->name);
}

static PyObject *get_nbytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(((struct sp_tensor *)self)->bytes);
}

static PyObject *get_ndim(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct sp_tensor *)self)->rank);
}

static PyObject *tensor_tobytes(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)tensor->bytes);
    if (bytes == NULL) {
        return NULL;
    }
    char *to = PyBytes_AS_STRING(bytes);
    if (tensor->bytes < DETACH_FROM) {
        memcpy(to, tensor->data, tensor->bytes);
        return bytes;
    }
    Py_BEGIN_ALLOW_THREADS;
    memcpy(to, tensor->data, tensor->bytes);
    Py_END_ALLOW_THREADS;
    return bytes;
}

static Py_ssize_t tensor_length(PyObject *self)
{
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    if (tensor->rank == 0) {
        PyErr_SetString(PyExc_TypeError, "a tensor of rank 0 has no len()");
        return -1;
    }
    return tensor->shape[0];
}

static PyObject *tensor_repr(PyObject *self)
{
    PyObject *shape = get_shape(self, NULL);
    if (shape == NULL) {
        return NULL;
    }
    const char *dtype = ((struct sp_tensor *)self)->dtype->name;
    PyObject *text = PyUnicode_FromFormat("Tensor(shape=%R, dtype='%s')", shape, dtype);
    Py_DECREF(shape);
    return text;
}

static PyMethodDef tensor_methods[] = {
    {"tobytes", tensor_tobytes, METH_NOARGS, "A copy of the data, packed in C order."},
    {"tolist",
     sp_tensor_list,
     METH_NOARGS,
     "The elements as Python's numbers, in nested lists."},
    {"item", sp_tensor_only_item, METH_NOARGS, "The element of a tensor that has one."},
    {"__array__",
     (PyCFunction)(void (*)(void))sp_tensor_array,
     METH_VARARGS | METH_KEYWORDS,
     "NumPy's array of the same memory, or a copy where that is needed or wanted."},
    {"__dlpack__",
     (PyCFunction)(void (*)(void))sp_tensor_dlpack,
     METH_VARARGS | METH_KEYWORDS,
     "A DLPack capsule of the same memory."},
    {"__dlpack_device__",
     sp_tensor_dlpack_device,
     METH_NOARGS,
     "(1, 0): memory of the processor."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef tensor_getset[] = {
    {"shape", get_shape, NULL, "The extent of each dimension, in elements.", NULL},
    {"dtype",
     get_dtype,
     NULL,
     "NumPy's name of the element type, such as 'float32'.",
     NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of the data.", NULL},
    {"ndim", get_ndim, NULL, "The number of dimensions.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot tensor_slots[] = {
    {Py_tp_dealloc, tensor_dealloc},
    {Py_tp_repr, tensor_repr},
    {Py_tp_methods, tensor_methods},
    {Py_tp_getset, tensor_getset},
    {Py_tp_iter, sp_tensor_iterator},
    {Py_tp_richcompare, sp_tensor_compare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_sq_length, tensor_length},
    {Py_sq_item, sp_tensor_item_at},
    {Py_sq_contains, sp_tensor_contains},
    {Py_mp_length, tensor_length},
    {Py_mp_subscript, sp_tensor_item},
    {Py_nb_bool, sp_tensor_truth},
    {Py_nb_float, sp_tensor_float},
    {Py_nb_int, sp_tensor_int},
    {Py_bf_getbuffer, tensor_getbuffer},
    {Py_tp_doc,
     (void
          *)"An array of numbers in shared memory. Use it as numpy.asarray(tensor) or\n"
            "memoryview(tensor), neither of which copies; it is a sequence, too. "
            "Tensors of\narguments are read-only, unless the pool has them copied; "
            "those from empty() can\nbe written until they are returned."},
    {0, NULL},
};

static PyType_Spec tensor_spec = {
    .name = "snakepit_bridge._runtime.Tensor",
    .basicsize = sizeof(struct sp_tensor),
    .flags = SP_TYPE_FLAGS,
    .slots = tensor_slots,
};

PyTypeObject *sp_tensor_type_new(PyObject *module)
{
    return sp_type_new(module, &tensor_spec);
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
    PyErr_Clear();
    return PyObject_Str(dtype);
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
