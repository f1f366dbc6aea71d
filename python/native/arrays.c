// SPDX-License-Identifier: MIT
// NumPy's ndarray takes a shape, a type and a buffer as they are. Its asarray() first
// finds out what a Tensor is, which takes as long as the rest of `empty`.
#include "arrays.h"

#include "codec.h"
#include "codec_compat.h"
#include "module.h"
#include "tensor.h"

// What a maker refers to, in a tuple: these, then NumPy's types by our numbers; None:
// there is none.
enum { MODULE, NDARRAY, AS_ARRAY, TYPES };
#define NUMBERS (SNAKEPIT_BFLOAT16 + 1u)

static PyObject *type_of(PyObject *dtype, uint32_t number)
{
    const struct sp_dtype *known = sp_dtype_of_number(number);
    if (known == NULL || known->format == NULL) {
        return Py_NewRef(Py_None);
    }
    return PyObject_CallFunction(dtype, "s", known->name);
}

// NumPy's array of a new tensor; NULL with an exception.
static PyObject *array_of(PyObject *self, PyObject *tensor, PyObject *shape)
{
    const struct sp_tensor *facts = (const struct sp_tensor *)tensor;
    PyObject *type = PyTuple_GET_ITEM(self, TYPES + facts->dtype->number);
    if (type == Py_None || facts->bytes == 0) {
        return PyObject_CallOneArg(PyTuple_GET_ITEM(self, AS_ARRAY), tensor);
    }
    shape = PyTuple_CheckExact(shape) ? Py_NewRef(shape)
                                      : PyObject_GetAttrString(tensor, "shape");
    if (shape == NULL) {
        return NULL;
    }
    PyObject *const arguments[] = {shape, type, tensor};
    PyObject *array =
        PyObject_Vectorcall(PyTuple_GET_ITEM(self, NDARRAY), arguments, 3, NULL);
    Py_DECREF(shape);
    return array;
}

static PyObject *make(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "this takes a shape and a dtype");
        return NULL;
    }
    struct sp_module_state *state = sp_module_state(PyTuple_GET_ITEM(self, MODULE));
    PyObject *tensor = sp_tensor_empty(&state->codec, arguments[0], arguments[1]);
    PyObject *array = tensor == NULL ? NULL : array_of(self, tensor, arguments[0]);
    Py_XDECREF(tensor);
    return array;
}

static PyObject *
references(PyObject *module, PyObject *ndarray, PyObject *dtype, PyObject *as_array)
{
    PyObject *self = PyTuple_New(TYPES + NUMBERS);
    if (self == NULL) {
        return NULL;
    }
    PyTuple_SET_ITEM(self, MODULE, Py_NewRef(module));
    PyTuple_SET_ITEM(self, NDARRAY, Py_NewRef(ndarray));
    PyTuple_SET_ITEM(self, AS_ARRAY, Py_NewRef(as_array));
    for (uint32_t number = 0; number < NUMBERS; number++) {
        PyObject *type = type_of(dtype, number);
        if (type == NULL) {
            Py_DECREF(self);
            return NULL;
        }
        PyTuple_SET_ITEM(self, TYPES + number, type);
    }
    return self;
}

PyObject *sp_array_maker(PyObject *module, PyObject *arguments)
{
    static PyMethodDef method = {"make_array",
                                 (PyCFunction)(void (*)(void))make,
                                 METH_FASTCALL,
                                 "make_array(shape, dtype): an array for a result."};
    PyObject *ndarray;
    PyObject *dtype;
    PyObject *as_array;
    if (!PyArg_ParseTuple(arguments, "OOO:array_maker", &ndarray, &dtype, &as_array)) {
        return NULL;
    }
    PyObject *self = references(module, ndarray, dtype, as_array);
    PyObject *maker = self == NULL ? NULL : PyCFunction_New(&method, self);
    Py_XDECREF(self);
    return maker;
}
