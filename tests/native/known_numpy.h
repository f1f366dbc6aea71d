// SPDX-License-Identifier: MIT
// Tensors, and arrays that are made as `empty` of a worker makes them.
#ifndef TESTS_NATIVE_KNOWN_NUMPY_H
#define TESTS_NATIVE_KNOWN_NUMPY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "codec.h"

// What the module under test owns.
struct sp_codec *test_codec_of(PyObject *module);

// know_numpy(ndarray, dtype): has the codec know NumPy; without arguments it forgets
// it. Returns whether NumPy's binary interface is known.
PyObject *know_numpy(PyObject *module, PyObject *args);
// make_array(shape, dtype): an array of the NumPy that is known; None: it has no such
// type.
PyObject *make_array(PyObject *module, PyObject *args);
// empty(shape, dtype="float32"): a Tensor.
PyObject *make_empty(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
