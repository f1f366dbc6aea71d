// SPDX-License-Identifier: MIT
// Arrays of NumPy's for results, in shared memory, made in one step.
#ifndef NATIVE_ARRAYS_H
#define NATIVE_ARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

// array_maker(ndarray, dtype, as_array): the module's function of that name. `ndarray`
// and `dtype` are NumPy's, `as_array` makes something of a Tensor that they have no
// answer to. Returns `make(shape, dtype)`.
PyObject *sp_array_maker(PyObject *module, PyObject *arguments);

#endif
