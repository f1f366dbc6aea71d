// SPDX-License-Identifier: MIT
#include "known_numpy.h"

#include "codec_compat.h"
#include "numpy_array.h"

PyObject *know_numpy(PyObject *module, PyObject *args)
{
    struct sp_codec *codec = test_codec_of(module);
    PyObject *ndarray = NULL;
    PyObject *dtype = NULL;
    struct sp_numpy *numpy = NULL;
    if (!PyArg_ParseTuple(args, "|OO", &ndarray, &dtype)) {
        return NULL;
    }
    if (dtype != NULL) {
        numpy = sp_numpy_new(ndarray, dtype);
        if (numpy == NULL) {
            return NULL;
        }
    }
    sp_numpy_free(atomic_exchange(&codec->numpy, numpy));
    return PyBool_FromLong(numpy != NULL && numpy->interface != NULL);
}

PyObject *make_array(PyObject *module, PyObject *args)
{
    struct sp_codec *codec = test_codec_of(module);
    PyObject *shape;
    PyObject *dtype;
    if (!PyArg_ParseTuple(args, "OO", &shape, &dtype)) {
        return NULL;
    }
    PyObject *tensor = sp_tensor_empty(codec, shape, dtype);
    if (tensor == NULL) {
        return NULL;
    }
    PyObject *array =
        sp_numpy_array(sp_codec_numpy(codec), (struct sp_tensor *)tensor, shape);
    Py_DECREF(tensor);
    return array == NULL && !PyErr_Occurred() ? Py_NewRef(Py_None) : array;
}

PyObject *make_empty(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"shape", "dtype", NULL};
    PyObject *shape;
    PyObject *dtype = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O", names, &shape, &dtype)) {
        return NULL;
    }
    return sp_tensor_empty(test_codec_of(module), shape, dtype);
}
