// SPDX-License-Identifier: MIT
// A Tensor as a sequence of its parts and as an array of NumPy's. Integers and plain
// slices need no NumPy: a part is a Tensor again, over the same memory, and an element
// a number of Python's. All else is NumPy's to do, by snakepit_bridge.arrays; where
// there is none, that says so instead of guessing.
#include "tensor_items.h"

#include <math.h>
#include <string.h>

#include "codec_compat.h"

// ---- Elements -----------------------------------------------------------------

// An IEEE number of 16 bits.
static double half_of(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1f;
    double fraction = bits & 0x3ff;
    double value = exponent == 0x1f ? (fraction == 0 ? INFINITY : NAN)
                   : exponent == 0  ? ldexp(fraction, -24)
                                    : ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
}

// Of a bfloat16, which is the upper half of a float.
static double upper_half(uint16_t bits)
{
    uint32_t whole = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return (double)value;
}

#define LOADER(name, type)                     \
    static type load_##name(const uint8_t *at) \
    {                                          \
        type value;                            \
        memcpy(&value, at, sizeof value);      \
        return value;                          \
    }

LOADER(int16, int16_t)
LOADER(int32, int32_t)
LOADER(int64, int64_t)
LOADER(uint16, uint16_t)
LOADER(uint32, uint32_t)
LOADER(uint64, uint64_t)
LOADER(float, float)
LOADER(double, double)

PyObject *sp_tensor_element(const struct sp_tensor *tensor, const uint8_t *at)
{
    switch (tensor->dtype->number) {
    case SNAKEPIT_BOOL:
        return PyBool_FromLong(*at != 0);
    case SNAKEPIT_INT8:
        return PyLong_FromLong((int8_t)*at);
    case SNAKEPIT_INT16:
        return PyLong_FromLong(load_int16(at));
    case SNAKEPIT_INT32:
        return PyLong_FromLong(load_int32(at));
    case SNAKEPIT_INT64:
        return PyLong_FromLongLong(load_int64(at));
    case SNAKEPIT_UINT8:
        return PyLong_FromLong(*at);
    case SNAKEPIT_UINT16:
        return PyLong_FromLong(load_uint16(at));
    case SNAKEPIT_UINT32:
        return PyLong_FromUnsignedLong(load_uint32(at));
    case SNAKEPIT_UINT64:
        return PyLong_FromUnsignedLongLong(load_uint64(at));
    case SNAKEPIT_FLOAT16:
        return PyFloat_FromDouble(half_of(load_uint16(at)));
    case SNAKEPIT_BFLOAT16:
        return PyFloat_FromDouble(upper_half(load_uint16(at)));
    case SNAKEPIT_FLOAT32:
        return PyFloat_FromDouble((double)load_float(at));
    case SNAKEPIT_FLOAT64:
        return PyFloat_FromDouble(load_double(at));
    case SNAKEPIT_COMPLEX64:
        return PyComplex_FromDoubles((double)load_float(at),
                                     (double)load_float(at + sizeof(float)));
    default: // complex128
        return PyComplex_FromDoubles(load_double(at), load_double(at + sizeof(double)));
    }
}

static Py_ssize_t count_elements(const struct sp_tensor *tensor)
{
    return (Py_ssize_t)(tensor->bytes / tensor->dtype->size);
}

// ---- Parts --------------------------------------------------------------------

// Of the first dimension, which is there, from `start` on: `count` items, or the one
// item there, which has a dimension less, where `count` is -1.
static PyObject *part_of(struct sp_tensor *tensor, Py_ssize_t start, Py_ssize_t count)
{
    const uint8_t *data = tensor->data + start * tensor->strides[0];
    int drop = count < 0 ? 1 : 0;
    if (drop == 1 && tensor->rank == 1) {
        return sp_tensor_element(tensor, data);
    }
    struct sp_tensor_head head = {.dtype = tensor->dtype, .rank = tensor->rank - drop};
    memcpy(head.shape, tensor->shape + drop, (size_t)head.rank * sizeof *head.shape);
    if (drop == 0) {
        head.shape[0] = count;
    }
    (void)sp_tensor_measure(&head); // a part is not larger than the whole
    return sp_tensor_part(tensor, &head, data);
}

static PyObject *item_at(PyObject *self, Py_ssize_t index)
{
    struct sp_tensor *tensor = (struct sp_tensor *)self;
    if (tensor->rank == 0) {
        PyErr_SetString(PyExc_IndexError,
                        "a tensor of rank 0 has no items; item() is its element");
        return NULL;
    }
    if (index < 0 || index >= tensor->shape[0]) {
        PyErr_Format(PyExc_IndexError,
                     "index out of range: the tensor has %zd items",
                     tensor->shape[0]);
        return NULL;
    }
    return part_of(tensor, index, -1);
}

static PyObject *item_of_index(PyObject *self, PyObject *key)
{
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) {
        return NULL;
    }
    bool from_end = index < 0 && tensor->rank > 0;
    return item_at(self, from_end ? index + tensor->shape[0] : index);
}

// Whether a key is one integer. NumPy's arrays may be taken for one, too, but for their
// length.
static bool is_integer(PyObject *key)
{
    if (PyLong_Check(key) || !PyIndex_Check(key)) {
        return PyLong_Check(key) && !PyBool_Check(key);
    }
    Py_ssize_t length = PyObject_Size(key);
    PyErr_Clear();
    return length < 0;
}

// ---- What NumPy does ----------------------------------------------------------

// The tensor as NumPy's array. NULL with an exception: TypeError where there is none.
static PyObject *array_of(PyObject *self)
{
    PyObject *module = PyImport_ImportModule("snakepit_bridge.arrays");
    PyObject *array =
        module == NULL ? NULL : PyObject_CallMethod(module, "array_of", "O", self);
    Py_XDECREF(module);
    return array;
}

static PyObject *item_by_numpy(PyObject *self, PyObject *key)
{
    PyObject *array = array_of(self);
    PyObject *item = array == NULL ? NULL : PyObject_GetItem(array, key);
    Py_XDECREF(array);
    return item;
}

// By element, as NumPy compares; without it nothing is compared, for a tensor is no
// single value.
PyObject *sp_tensor_compare(PyObject *self, PyObject *other, int operation)
{
    PyObject *array = array_of(self);
    PyObject *result =
        array == NULL ? NULL : PyObject_RichCompare(array, other, operation);
    Py_XDECREF(array);
    return result;
}

PyObject *sp_tensor_array(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"dtype", "copy", NULL};
    PyObject *dtype = Py_None;
    PyObject *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "|OO:__array__", names, &dtype, &copy)) {
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("snakepit_bridge.arrays");
    PyObject *array =
        module == NULL
            ? NULL
            : PyObject_CallMethod(module, "array_of", "OOO", self, dtype, copy);
    Py_XDECREF(module);
    return array;
}

// ---- A sequence ---------------------------------------------------------------

PyObject *sp_tensor_item_at(PyObject *self, Py_ssize_t index)
{
    return item_at(self, index);
}

PyObject *sp_tensor_item(PyObject *self, PyObject *key)
{
    struct sp_tensor *tensor = (struct sp_tensor *)self;
    if (is_integer(key)) {
        return item_of_index(self, key);
    }
    if (!PySlice_Check(key) || tensor->rank == 0) {
        return item_by_numpy(self, key);
    }
    Py_ssize_t start;
    Py_ssize_t stop;
    Py_ssize_t step;
    if (PySlice_Unpack(key, &start, &stop, &step) != 0) {
        return NULL;
    }
    Py_ssize_t count = PySlice_AdjustIndices(tensor->shape[0], &start, &stop, step);
    return step == 1 ? part_of(tensor, start, count) : item_by_numpy(self, key);
}

PyObject *sp_tensor_iterator(PyObject *self)
{
    if (((struct sp_tensor *)self)->rank == 0) {
        PyErr_SetString(PyExc_TypeError,
                        "a tensor of rank 0 has no items; item() is its element");
        return NULL;
    }
    return PySeqIter_New(self);
}

// Whether an element equals `value`, in whatever dimension it stands.
int sp_tensor_contains(PyObject *self, PyObject *value)
{
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    const uint8_t *end = tensor->data + tensor->bytes;
    for (const uint8_t *at = tensor->data; at < end; at += tensor->dtype->size) {
        PyObject *element = sp_tensor_element(tensor, at);
        int same =
            element == NULL ? -1 : PyObject_RichCompareBool(element, value, Py_EQ);
        Py_XDECREF(element);
        if (same != 0) {
            return same;
        }
    }
    return 0;
}

// ---- One value ----------------------------------------------------------------

// The only element. NULL with an exception where there is not exactly one.
static PyObject *only_element(PyObject *self, PyObject *error, const char *wanted)
{
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    Py_ssize_t count = count_elements(tensor);
    if (count != 1) {
        return PyErr_Format(error, "a tensor of %zd elements %s", count, wanted);
    }
    return sp_tensor_element(tensor, tensor->data);
}

int sp_tensor_truth(PyObject *self)
{
    PyObject *element = only_element(self,
                                     PyExc_ValueError,
                                     "is neither true nor false; ask len(tensor), "
                                     "numpy.any(tensor) or numpy.all(tensor)");
    int truth = element == NULL ? -1 : PyObject_IsTrue(element);
    Py_XDECREF(element);
    return truth;
}

// The only element as `convert` makes it a number.
static PyObject *
only_number(PyObject *self, PyObject *(*convert)(PyObject *), const char *refusal)
{
    PyObject *element = only_element(self, PyExc_TypeError, refusal);
    PyObject *number = element == NULL ? NULL : convert(element);
    Py_XDECREF(element);
    return number;
}

PyObject *sp_tensor_float(PyObject *self)
{
    return only_number(self, PyNumber_Float, "is not a single number for float()");
}

PyObject *sp_tensor_int(PyObject *self)
{
    return only_number(self, PyNumber_Long, "is not a single number for int()");
}

PyObject *sp_tensor_only_item(PyObject *self, PyObject *unused)
{
    (void)unused;
    return only_element(self, PyExc_ValueError, "has no single item()");
}

// ---- Lists --------------------------------------------------------------------

// The elements from `*at` on as nested lists, of the dimensions from `axis` on.
static PyObject *list_of(const struct sp_tensor *tensor, int axis, const uint8_t **at)
{
    if (axis == tensor->rank) {
        PyObject *element = sp_tensor_element(tensor, *at);
        *at += tensor->dtype->size;
        return element;
    }
    PyObject *list = PyList_New(tensor->shape[axis]);
    for (Py_ssize_t i = 0; list != NULL && i < tensor->shape[axis]; i++) {
        PyObject *item = list_of(tensor, axis + 1, at);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

PyObject *sp_tensor_list(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    const uint8_t *at = tensor->data;
    return list_of(tensor, 0, &at);
}
