// SPDX-License-Identifier: MIT
// The Python type `Tensor`. Python reads one through the buffer protocol
// (numpy.asarray(), memoryview(), torch.frombuffer()) or DLPack (codec_dlpack.c), which
// see the shared memory itself, or as a sequence (tensor_items.c).
#include "tensor.h"

#include "codec_compat.h"
#include "tensor_items.h"

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
    sp_copy((uint8_t *)to, tensor->data, tensor->bytes);
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
