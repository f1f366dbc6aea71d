// SPDX-License-Identifier: MIT
#include "arrays.h"

#include "codec.h"
#include "codec_compat.h"
#include "module.h"
#include "numpy_array.h"
#include "tensor.h"

// What a maker refers to, in a tuple.
enum { MODULE, AS_ARRAY, REFERENCES };

static PyObject *make(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "this takes a shape and a dtype");
        return NULL;
    }
    struct sp_codec *codec = &sp_module_state(PyTuple_GET_ITEM(self, MODULE))->codec;
    PyObject *tensor = sp_tensor_empty(codec, arguments[0], arguments[1]);
    if (tensor == NULL) {
        return NULL;
    }
    PyObject *array =
        sp_numpy_array(sp_codec_numpy(codec), (struct sp_tensor *)tensor, arguments[0]);
    if (array == NULL && !PyErr_Occurred()) {
        array = PyObject_CallOneArg(PyTuple_GET_ITEM(self, AS_ARRAY), tensor);
    }
    Py_DECREF(tensor);
    return array;
}

// Once for a module, whoever comes first.
static int find_numpy(struct sp_codec *codec, PyObject *ndarray, PyObject *dtype)
{
    struct sp_numpy *none = NULL;
    struct sp_numpy *numpy = sp_numpy_new(ndarray, dtype);
    if (numpy == NULL) {
        return -1;
    }
    // [codec:numpy] pairs with sp_codec_numpy(): who sees it sees what is in it.
    if (!atomic_compare_exchange_strong_explicit(
            &codec->numpy, &none, numpy, memory_order_release, memory_order_relaxed)) {
        sp_numpy_free(numpy);
    }
    return 0;
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
    if (!PyArg_ParseTuple(arguments, "OOO:array_maker", &ndarray, &dtype, &as_array) ||
        find_numpy(&sp_module_state(module)->codec, ndarray, dtype) != 0) {
        return NULL;
    }
    PyObject *self = PyTuple_Pack(REFERENCES, module, as_array);
    PyObject *maker = self == NULL ? NULL : PyCFunction_New(&method, self);
    Py_XDECREF(self);
    return maker;
}
